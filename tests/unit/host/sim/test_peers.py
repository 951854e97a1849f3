"""From end to end: the toolstack makes guests, their kernels boot, disks and interfaces carry data."""

from __future__ import annotations

from tests.support.peerworld import PeerWorld


def test_a_guest_boots_and_connects_everything(live: PeerWorld) -> None:
    domid = live.create(disks=1, vifs=1)
    home, back = f"/local/domain/{domid}", "/local/domain/0/backend"
    assert live.read(f"{home}/device/vbd/51712/state") == b"4"
    assert live.read(f"{back}/vbd/{domid}/51712/state") == b"4"
    assert live.read(f"{back}/vbd/{domid}/51712/sectors") == b"2048"
    assert live.read(f"{home}/device/vif/0/state") == b"4"
    assert live.read(f"{back}/vif/{domid}/0/state") == b"4"
    assert live.read(f"{home}/control/feature-poweroff") == b"1"
    log = live.log("g")
    for words in ("simulated by xenvm", "Xen 4.", "2 CPUs", "blkfront: 51712: 2048", "xen_netfront: eth0: 00:16:3e"):
        assert words in log, words


def test_what_a_guest_writes_is_in_the_image(live: PeerWorld) -> None:
    disk = live.kernel(live.create(disks=1)).disks["51712"]
    data = bytes(range(256)) * 600
    write = disk.write_sectors(100, data)
    assert not write.done
    live.world.settle()
    assert write.done and not write.failed
    assert live.disk("g").read_bytes()[100 * 512 :][: len(data)] == data
    read = disk.read_sectors(100, len(data) // 512)
    live.world.settle()
    assert read.done and not read.failed and read.data == data


def test_two_guests_exchange_frames(live: PeerWorld) -> None:
    one, other = (live.kernel(live.create(name, vifs=1)).nics["0"] for name in ("a", "b"))
    broadcast = b"\xff" * 6 + bytes.fromhex("00163e000061") + b"\x08\x06" + b"who is there?"
    assert one.send(broadcast)
    live.world.settle()
    assert other.received == [broadcast] and one.received == []
    answer = broadcast[6:12] + bytes.fromhex("00163e000062") + b"\x08\x06" + b"me" * 500
    assert other.send(answer)
    live.world.settle()
    assert one.received == [answer] and len(other.received) == 1
