"""The front ends of a simulated kernel against back ends that make no sense."""

from __future__ import annotations

import pytest

from tests.support.peerworld import PeerWorld
from xenbus import blkif, netif
from xenbus.errors import DeviceFault
from xenbus.ring import BackRing
from xenvm.host.back import BackDriver
from xenvm.host.sim.boot import BootInfo
from xenvm.host.sim.guestpages import Pages


def forge(live: PeerWorld, kind: str, path: str, ring: str, response: bytes) -> bytes | None:
    """Has the back end's ring say something by itself; the state of the front end after that."""
    (driver,) = (each for each in live.world.services if isinstance(each, BackDriver) and path in each.devices)
    forged: BackRing = getattr(driver.devices[path], ring)
    forged._consumed += 1
    forged.put(response)
    forged.push()
    driver.devices[path].tell(True)  # type: ignore[attr-defined]
    live.world.settle()
    domid, devid = path.split("/")[2:]
    return live.read(f"/local/domain/{domid}/device/{kind}/{devid}/state")


def test_an_answer_to_no_request_closes_a_disk(live: PeerWorld) -> None:
    domid = live.create(disks=1)
    response = blkif.Response(99, blkif.READ).pack()
    assert forge(live, "vbd", f"backend/vbd/{domid}/51712", "_ring", response) in (b"5", b"6")
    assert live.read(f"/local/domain/{domid}/error/device/vbd/51712/error")


@pytest.mark.parametrize("ring, response", [("_tx", netif.TxResponse(9).pack()), ("_rx", b"\x99\0" * 4)])
def test_an_answer_to_no_request_closes_an_interface(live: PeerWorld, ring: str, response: bytes) -> None:
    domid = live.create(vifs=1)
    assert forge(live, "vif", f"backend/vif/{domid}/0", ring, response) in (b"5", b"6")


def test_what_is_under_way_fails_when_the_disk_goes(live: PeerWorld) -> None:
    domid = live.create(disks=1)
    disk = live.kernel(domid).disks["51712"]
    transfers = [disk.read_sectors(0, 100) for _ in range(40)]
    disk.let_go()
    assert all(each.done and each.failed for each in transfers)
    with pytest.raises(DeviceFault):
        disk.read_sectors(0, 1)


def test_a_disk_that_grows_is_noticed(live: PeerWorld) -> None:
    domid = live.create(disks=1)
    back = f"/local/domain/0/backend/vbd/{domid}/51712"
    live.write(f"{back}/sectors", "4096")
    live.write(f"{back}/state", "4")
    assert live.kernel(domid).disks["51712"].sectors == 4096
    assert "now 4096" in live.log("g")


def test_a_device_without_a_type_is_not_bound(live: PeerWorld) -> None:
    domid = live.create(disks=1, extra="xenvm.behaviour=slow")
    live.world.store.remove(f"/local/domain/{domid}/device/vbd/51712/device-type")
    live.world.advance(60)
    assert live.read(f"/local/domain/{domid}/device/vbd/51712/state") in (b"5", b"6")


def test_a_disk_is_attached_and_detached_while_the_guest_runs(live: PeerWorld) -> None:
    domid = live.create(disks=1)
    store, home, back = live.world.store, f"/local/domain/{domid}", f"/local/domain/0/backend/vbd/{domid}"
    for _ in range(5):
        with store.transaction() as tx:
            for name in tx.list(f"{home}/device/vbd/51712"):
                if name in ("backend-id", "device-type"):
                    tx.write(f"{home}/device/vbd/51728/{name}", tx.read(f"{home}/device/vbd/51712/{name}"))
            tx.write(f"{home}/device/vbd/51728/backend", f"{back}/51728")
            tx.write(f"{home}/device/vbd/51728/state", "1")
            tx.set_perms(f"{home}/device/vbd/51728", tx.get_perms(f"{home}/device/vbd/51712"))
            for name in tx.list(f"{home}/device/vbd/51728"):
                tx.set_perms(f"{home}/device/vbd/51728/{name}", tx.get_perms(f"{home}/device/vbd/51712"))
            for name in ("params", "mode", "frontend-id", "physical-device"):
                tx.write(f"{back}/51728/{name}", tx.read(f"{back}/51712/{name}"))
            for name, value in (("frontend", f"{home}/device/vbd/51728"), ("online", "1"), ("state", "1")):
                tx.write(f"{back}/51728/{name}", value)
            tx.set_perms(f"{back}/51728", tx.get_perms(f"{back}/51712"))
            for name in tx.list(f"{back}/51728"):
                tx.set_perms(f"{back}/51728/{name}", tx.get_perms(f"{back}/51712"))
        live.world.settle()
        assert live.read(f"{back}/51728/state") == b"4"
        assert set(live.kernel(domid).disks) == {"51712", "51728"}
        with store.transaction() as tx:
            tx.write(f"{back}/51728/online", "0")
            tx.write(f"{back}/51728/state", "5")
        live.world.settle()
        assert live.read(f"{back}/51728/state") == b"6"
        store.remove(f"{back}/51728")
        store.remove(f"{home}/device/vbd/51728")
        live.world.settle()
        assert set(live.kernel(domid).disks) == {"51712"}
    assert live.read(f"{back}/51712/state") == b"4"


def test_pages_go_around_what_is_loaded() -> None:
    mib = 1 << 20
    start = 1 << 30
    info = BootInfo(
        model="",
        xen="",
        banks=((start, 4 * mib),),
        cpus=(0,),
        bootargs="",
        initrd=(start + 2 * mib + 4096, start + 2 * mib + 5000),
        kernel=(start, start + 2 * mib),
        dtb=(start + 4 * mib - 4096, start + 4 * mib - 100),
    )
    pages = Pages(info)
    taken = []
    with pytest.raises(DeviceFault, match="memory"):
        while True:
            taken.append(pages.take())
    first = (start + 2 * mib) >> 12
    assert taken == [first, *range(first + 2, first + 511)]
    pages.give(taken[7])
    assert pages.take() == taken[7]
