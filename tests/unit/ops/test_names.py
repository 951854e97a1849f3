"""Names and domids, what a user may mean by them, and renaming."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.support.fakehost import UUID, FakeHost
from tests.support.simworld import SimWorld
from xenbus.errors import AccessDenied
from xenbus.link import Call
from xenbus.request import Read, Request
from xenvm.errors import DomainError, DomainExists, NoSuchDomain
from xenvm.ops import names
from xenvm.types import Domid

OTHER = "99999999-2222-3333-4444-555555555555"


@pytest.fixture
def pair(world: FakeHost) -> FakeHost:
    """Domain 1 is called alpha, domain 2 is called 7."""
    for name, uuid in (("alpha", UUID), ("7", OTHER)):
        domid = world.hyper.add(uuid).domid
        world.store.put(f"/local/domain/{domid}/name", name)
        world.store.put(f"/local/domain/{domid}/vm", f"/vm/{uuid}")
        world.store.put(f"/vm/{uuid}/name", name)
    return world


def test_names_take_one_round_trip(pair: FakeHost) -> None:
    pair.host.store.read("/")
    before = pair.host.store.waits
    assert names.names(pair.host, [Domid(0), Domid(2), Domid(9)]) == {0: "Domain-0", 2: "7", 9: None}
    assert pair.host.store.waits == before + 1


def test_a_refused_name_is_not_taken_for_none(pair: FakeHost) -> None:
    pair.store.inject(1, "EACCES")
    with pytest.raises(AccessDenied, match="/local/domain/1/name"):
        names.names(pair.host, [Domid(1)])


def test_a_name_may_be_any_bytes(pair: FakeHost) -> None:
    pair.store.put("/local/domain/1/name", b"caf\xc3\xa9\xff")
    assert names.names(pair.host, [Domid(1)]) == {1: "caf\u00e9\udcff"}


@pytest.mark.parametrize(("who", "domid"), [("alpha", 1), ("1", 1), ("2", 2), ("0", 0), ("Domain-0", 0), ("01", 1)])
def test_find(pair: FakeHost, who: str, domid: int) -> None:
    assert names.find(pair.host, who).domid == domid


@pytest.mark.parametrize("who", ["beta", "alph", "alphaa", "", "7", "3", "32752", "9" * 40, "-1", "\u0661", "a/b"])
def test_find_nobody(pair: FakeHost, who: str) -> None:
    """Digits are a domid even where a domain has that name: xl reads them so."""
    with pytest.raises(NoSuchDomain, match="is an invalid domain identifier"):
        names.find(pair.host, who)


def test_the_host_itself_is_no_guest(pair: FakeHost) -> None:
    for who in ("0", "Domain-0"):
        with pytest.raises(DomainError, match="domain 0 is this host"):
            names.find_guest(pair.host, who)
    assert names.find_guest(pair.host, "alpha").domid == 1


def test_free_names_and_the_other_answers(pair: FakeHost) -> None:
    domains = pair.hyper.domains()
    answers = names.check_free(pair.host, domains, "gamma", None, also=[Read("/local/domain/2/name"), Read("/no")])
    assert answers == [b"7", None]


def test_taken_names_and_uuids(pair: FakeHost) -> None:
    domains = pair.hyper.domains()
    with pytest.raises(DomainExists, match="a domain named 'alpha' exists already: domid 1"):
        names.check_free(pair.host, domains, "alpha", None)
    with pytest.raises(DomainExists, match=f"a domain with uuid {OTHER} exists already: domid 2"):
        names.check_free(pair.host, domains, "gamma", OTHER)


def test_rename_brings_nothing_back(pair: FakeHost) -> None:
    pair.store.drop("/local/domain/1")
    with pytest.raises(NoSuchDomain):
        names.rename(pair.host, "1", "beta")
    assert pair.store.get("/local/domain/1/name") is None


def test_rename(pair: FakeHost) -> None:
    names.rename(pair.host, "alpha", "beta")
    assert pair.store.get("/local/domain/1/name") == b"beta" == pair.store.get(f"/vm/{UUID}/name")
    names.rename(pair.host, "0", "house")
    assert pair.store.get("/local/domain/0/name") == b"house"
    assert pair.store.children("/vm") == [UUID, OTHER], "dom0 has no /vm"


@pytest.mark.parametrize("name", ["", "12", "a/b", "a\nb", "\x7f", "tab\t", 201 * "n"])
def test_names_that_could_not_be_addressed(pair: FakeHost, name: str) -> None:
    before = pair.store.dump()
    with pytest.raises(DomainError, match="cannot name a domain"):
        names.rename(pair.host, "alpha", name)
    assert pair.store.dump() == before


def test_rename_to_the_name_that_it_has(pair: FakeHost) -> None:
    """As with xl, this is no conflict."""
    names.rename(pair.host, "1", "alpha")
    assert pair.store.get("/local/domain/1/name") == b"alpha"


@pytest.mark.parametrize("who", ["1", "001"])
def test_a_list_of_one(pair: FakeHost, who: str) -> None:
    assert [info.domid for info in names.listed(pair.host, who)[0]] == [1]


@pytest.mark.parametrize("who", ["9" * 5000, "2", "32752"])
def test_a_list_of_nobody(world: FakeHost, who: str) -> None:
    for look in (names.listed, names.find):
        with pytest.raises(NoSuchDomain):
            look(world.host, who)


def test_rename_to_a_name_in_use(pair: FakeHost) -> None:
    with pytest.raises(DomainExists, match="'Domain-0'"):
        names.rename(pair.host, "alpha", "Domain-0")


class Resident:
    """A host whose process makes many guests, and what it asks of the store."""

    def __init__(self, world: FakeHost | SimWorld) -> None:
        self.host, self.paths = world.host, list[str]()
        world.host.resident = True
        link, send = world.host.store.link, world.host.store.link.send

        def recorded(groups: Sequence[tuple[int, Sequence[Request]]], deadline: float) -> Call:
            self.paths += [request.path for _tx, requests in groups for request in requests]
            return send(groups, deadline)

        link.send = recorded  # type: ignore[method-assign]

    def asks(self, name: str) -> list[str]:
        """The paths of the requests that it takes to know that a name is free."""
        self.paths.clear()
        names.check_free(self.host, self.host.hyper.domains(), name, None)
        return list(self.paths)


@pytest.fixture
def many(tmp_path: Path) -> Iterator[SimWorld]:
    """A simulated host with the guests g1, g2 and g3."""
    world = SimWorld(tmp_path)
    for number in range(1, 4):
        world.create(name=f"g{number}", uuid=None, disk=None, vif=[])
    world.world.settle()
    yield world
    world.world.close()


def test_a_resident_asks_for_each_name_once(many: SimWorld) -> None:
    resident = Resident(many)
    resident.asks("free")
    assert resident.asks("free") == ["/local/domain/0/name"], "a round trip, which brings the news"
    many.create(name="g4", uuid=None, disk=None, vif=[])
    assert resident.asks("free") == ["/local/domain/4/name"]
    with pytest.raises(DomainExists, match="domid 4"):
        resident.asks("g4")


def test_a_resident_sees_what_others_do(many: SimWorld) -> None:
    resident, other = Resident(many), many.world.client()
    resident.asks("free")
    other.write("/local/domain/2/name", "free")
    with pytest.raises(DomainExists, match="domid 2"):
        resident.asks("free")
    resident.asks("g2")
    other.remove("/local/domain/2")
    resident.asks("free")
    other.remove("/local/domain")
    resident.asks("g1")


def test_a_resident_forgets_with_its_connection(many: SimWorld) -> None:
    resident = Resident(many)
    resident.asks("free")
    many.host.store.write("/local/domain/1/name", "free")
    many.host.reconnect()
    with pytest.raises(DomainExists, match="domid 1"):
        names.check_free(many.host, many.host.hyper.domains(), "free", None)


def test_a_resident_of_a_server_without_depths_asks_for_all(pair: FakeHost) -> None:
    """The C daemon up to 4.21, say, which does not know the third word of a watch."""
    resident = Resident(pair)
    pair.store.inject(pair.store.count + 1, "EINVAL")
    every = [f"/local/domain/{domid}/name" for domid in range(3)]
    assert resident.asks("gamma") == ["/local/domain", *every]
    assert resident.asks("gamma") == every
    with pytest.raises(DomainExists):
        resident.asks("alpha")
