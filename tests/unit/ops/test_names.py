"""Names and domids, what a user may mean by them, and renaming."""

from __future__ import annotations

import pytest

from tests.support.fakehost import UUID, FakeHost
from xenbus.errors import AccessDenied
from xenbus.request import Read
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


@pytest.mark.parametrize("name", ["", "12", "a/b", "a\nb", "\x7f", "tab\t"])
def test_names_that_could_not_be_addressed(pair: FakeHost, name: str) -> None:
    before = pair.store.dump()
    with pytest.raises(DomainError, match="cannot name a domain"):
        names.rename(pair.host, "alpha", name)
    assert pair.store.dump() == before


def test_rename_to_a_name_in_use(pair: FakeHost) -> None:
    with pytest.raises(DomainExists, match="'Domain-0'"):
        names.rename(pair.host, "alpha", "Domain-0")
