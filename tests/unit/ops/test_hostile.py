"""A guest that rewrites all it owns, at every moment, never has the toolstack touch anything but its own.

One test for each class of advisory that concerns toolstacks:

* front ends are trusted (XSA-41, XSA-175): `test_nothing_but_its_own`, `test_devices_that_it_invents`
* back ends of another domain are trusted (XSA-178): `test_a_driver_domain_that_lies`
* values: `test_lists_say_nothing_senseless`
* leaks of what failed (XSA-160): `test_a_creation_that_fails_leaves_nothing`
* old memory in the guest (XSA-464): `test_no_page_has_what_was_there_before`
* a dead guest's resources: `test_a_guest_whose_pages_are_held_is_a_zombie`
* numbers cut to 32 bits (XSA-476): `test_addresses_above_4_gib`
* images (XSA-443, XSA-497): `tests/unit/guest/test_image.py`; nothing of a guest's disk is ever read
* the pool of page tables (XSA-409): `test_the_page_pool_is_set_before_the_first_page`
* numbers of domains that come again: `test_a_number_does_not_come_again_at_once`
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.peerworld import PeerWorld
from tests.support.rewriter import Rewriter
from xenbus.errors import StoreTimeout, XenbusError
from xenbus.tree import walk
from xenvm.errors import ConfigError, DeviceError, XenvmError
from xenvm.guest import layout
from xenvm.guest.class_nodes import any_device
from xenvm.guest.classes import Connector, VdisplSpec
from xenvm.guest.disk import parse_disk
from xenvm.guest.load import load_text
from xenvm.guest.vif import parse_vif
from xenvm.host.hyper import DomainInfo
from xenvm.ops import attach, detach, devices
from xenvm.ops.attach_class import attach_device
from xenvm.ops.create import create
from xenvm.ops.destroy import destroy
from xenvm.types import DOM0, Domid

Tree = dict[str, tuple[object, object]]


@pytest.fixture
def live(tmp_path: Path) -> Iterator[PeerWorld]:
    made = PeerWorld(tmp_path)
    yield made
    made.world.close()


def tree(live: PeerWorld, without: int | None = None) -> Tree:
    """Values and permissions of all nodes, but those of one domain."""
    found = {path: (node.value, node.perms) for path, node in walk(live.world.client(), "/", perms=True).items()}
    if without is None:
        return found
    info = live.world.hyper.domain(Domid(without))
    uuid = info.uuid if info else "none"
    return {path: kept for path, kept in found.items() if not _is_of(path, without, uuid)}


def _is_of(path: str, domid: int, uuid: str) -> bool:
    homes = f"/local/domain/{domid}", f"/libxl/{domid}", f"/vm/{uuid}"
    parts = path.split("/")
    back = parts[1:5:3] == ["local", "backend"] and (parts[6:7] == [str(domid)] or len(parts) <= 6)
    return back or any(path == home or path.startswith(f"{home}/") for home in homes)


def held(live: PeerWorld) -> tuple[object, ...]:
    """What domain 0 has: ports, interfaces, loop devices."""
    plumbing = live.world.plumbing.state()
    return live.world.hyper.channels.count(), repr(plumbing)


class Battle:
    """A quiet guest with devices, and a hostile one beside it."""

    def __init__(self, live: PeerWorld, seed: int) -> None:
        self.live, self.host = live, live.host
        self.victim = live.create("v", disks=1, vifs=1)
        self.quiet = tree(live)
        self.held = held(live)
        self.guest = live.create("h", disks=1, vifs=1, memory=64)
        self.rewriter = Rewriter(live.world, self.guest, self.victim, seed)
        live.world.services.append(self.rewriter)
        self.untouched = tree(live, self.guest)

    @property
    def info(self) -> DomainInfo:
        info = self.live.world.hyper.domain(self.guest)
        assert info is not None
        return info

    def check(self) -> None:
        assert tree(self.live, self.guest) == self.untouched

    def may_fail(self, work: Callable[[], object]) -> None:
        """What a guest's driver must take part in fails with such a guest, in one of our own errors."""
        with suppress(XenvmError, XenbusError):
            work()
        self.check()


@pytest.mark.parametrize("seed", range(6))
def test_nothing_but_its_own(live: PeerWorld, seed: int) -> None:
    battle = Battle(live, seed)
    host, guest = battle.host, battle.guest
    more = live.folder / "more.img"
    more.write_bytes(bytes(1 << 20))
    disk = parse_disk(f"{more},raw,xvdc,w")
    for force in (False, True):
        battle.may_fail(lambda: attach.attach_disk(host, battle.info, disk))
        battle.may_fail(lambda: attach.attach_nic(host, battle.info, parse_vif("bridge=xenbr0", attach.CHOOSE)))
        for kind in ("vbd", "vif"):
            for each in devices.of_kind(host, guest, kind):
                battle.may_fail(
                    lambda each=each, force=force: detach.detach(host, battle.info, each.record, force=force)
                )  # type: ignore[misc]
    assert devices.of_kind(host, guest, "vbd") == devices.of_kind(host, guest, "vif") == []
    destroy(host, guest, battle.info.uuid)
    assert tree(live) == battle.quiet and battle.rewriter.strikes > 20 and battle.rewriter.taken > 50
    assert held(live)[0] == battle.held[0]
    assert [each.record.devid for each in devices.of_kind(host, battle.victim, "vbd")] == [51712]


def test_devices_that_it_invents(live: PeerWorld) -> None:
    """They are in no list, cannot be detached, and a destroy does not follow them."""
    battle = Battle(live, 1)
    for _ in range(5):
        live.world.advance(1)
        found = {(each.record.kind, each.record.devid) for each in devices.of_guest(live.host, battle.guest)}
        assert found == {("console", 0), ("vbd", 51712), ("vif", 0)}
        for kind, devid in (("vbd", "99999"), ("nonsense", "0"), ("vdispl", "0")):
            with pytest.raises(DeviceError):
                devices.find_device(live.host, battle.guest, kind, devid)
    destroy(live.host, battle.guest, battle.info.uuid)
    assert tree(live) == battle.quiet


def test_lists_say_nothing_senseless(live: PeerWorld) -> None:
    battle = Battle(live, 2)
    limits = {"state": 8, "event-channel": 2**32 - 1, "ring-ref": 2**32 - 1, "port": 2**32 - 1}
    for _ in range(20):
        live.world.settle()
        for each in devices.of_guest(live.host, battle.guest):
            assert each.record.backend.startswith("/local/domain/0/backend/")
            for key, value in each.front.items():
                assert value is None or 0 <= value <= limits.get(key, 2**32 - 1)


def test_a_driver_domain_that_lies(live: PeerWorld) -> None:
    """What it writes into its back ends makes nobody touch another guest's."""
    battle = Battle(live, 3)
    host, store = live.host, live.world.store
    driver = live.world.peer_client(battle.guest)
    info = live.world.hyper.domain(battle.victim)
    assert info is not None
    back = f"/local/domain/{battle.guest}/backend/vdispl/{battle.victim}/0"
    # Ours to make, as of every driver domain: the guest's home is not its own to write.
    store.write(f"/local/domain/{battle.guest}/backend", "")

    def make(number: int) -> object:
        return any_device("vdispl", number, battle.victim, {"be-alloc": "0"}, backend=battle.guest)

    attach_device(host, info, "vdispl", make, wait=False)  # type: ignore[arg-type]
    store.set_perms(back, store.get_perms(back))
    lies = {"frontend": "/local/domain/0", "frontend-id": "0", "state": "4", "online": "1", "node": "/dev/loop1"}
    for name, value in {**lies, "params": "/etc/passwd", "script": "/bin/sh", "hotplug-status": "x" * 2000}.items():
        driver.write(f"{back}/{name}", value)
    (record,) = (each.record for each in devices.of_guest(host, battle.victim) if each.record.kind == "vdispl")
    assert record.frontend == f"/local/domain/{battle.victim}/device/vdispl/0" and "script" not in record.facts
    detach.detach(host, info, record, force=True, seconds=0)
    store.remove(f"/local/domain/{battle.guest}/backend")
    battle.check()


def test_a_creation_that_fails_leaves_nothing(live: PeerWorld) -> None:
    battle = Battle(live, 4)
    before, count = tree(live, battle.guest), live.world.hyper.channels.count()
    domains = len(live.world.hyper.domains())
    with pytest.raises(ConfigError):
        live.create("x", disk=[f"{live.folder}/none.img,qcow2,xvda,w"])
    spec = load_text(f"name='y'\nkernel='{live.folder}/Image'\nmemory=64\n")[0]
    with pytest.raises(StoreTimeout):  # nobody serves displays here
        create(live.host, spec.replace(vdispls=(VdisplSpec((Connector("a", 8, 6),)),)))
    assert tree(live, battle.guest) == before
    # The hostile guest may have lost some of its own meanwhile.
    assert len(live.world.hyper.domains()) == domains and live.world.hyper.channels.count() <= count


def test_no_page_has_what_was_there_before(live: PeerWorld) -> None:
    """Fresh memory of the simulated Xen has a pattern: what is shared with the guest is cleared or filled."""
    domid = live.create("p", extra="xenvm.behaviour=dead")
    side = live.world.guest_side(domid)
    for gfn in layout.MAGIC_GFNS[-1:]:
        assert bytes(side.page(gfn)) == bytes(4096)
    entry = side.entry()
    size = int.from_bytes(side.read(entry.dtb + 4, 4), "big")
    rest = side.read(entry.dtb + size, -(entry.dtb + size) % 4096)
    assert rest == bytes(len(rest))


def test_a_guest_whose_pages_are_held_is_a_zombie(live: PeerWorld) -> None:
    domid = live.create("z")
    info, domain = live.world.hyper.domain(domid), live.world.hyper.all[domid]
    assert info is not None
    live.world.hyper.hold(domain, 1)
    (trouble,) = destroy(live.host, domid, info.uuid)
    assert "still held" in trouble and [each.domid for each in live.world.hyper.domains()][-1] == domid
    live.world.hyper.let_go(domain, 1)
    assert live.world.hyper.domain(domid) is None


def test_addresses_above_4_gib() -> None:
    banks = layout.banks_for(layout.KiB(6 << 20))
    assert banks[1].start == 0x200000000 and sum(bank.size for bank in banks) == 6 << 30


def test_the_page_pool_is_set_before_the_first_page(live: PeerWorld) -> None:
    calls: list[str] = []

    class Traced:
        def __getattr__(self, name: str) -> object:
            calls.append(name)
            return getattr(live.world.hyper, name)

    live.host.intercept(Traced())  # type: ignore[arg-type]
    live.create("t")
    assert calls.index("set_paging_pool") < calls.index("populate")


def test_a_number_does_not_come_again_at_once(live: PeerWorld) -> None:
    first = live.create("a")
    info = live.world.hyper.domain(first)
    assert info is not None and DOM0 not in (first,)
    destroy(live.host, first, info.uuid)
    assert live.world.plumbing.domids.recent() == {first}
    assert live.create("b") != first
