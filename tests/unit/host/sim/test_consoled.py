from __future__ import annotations

import stat

import pytest

from tests.unit.host.sim.peerworld import PeerWorld
from xenvm.host.sim.consoled import Consoled
from xenvm.ops.destroy import destroy


def daemon(sim: PeerWorld) -> Consoled:
    (found,) = (service for service in sim.world.services if isinstance(service, Consoled))
    return found


def test_every_console_gets_a_name_and_a_private_log(sim: PeerWorld) -> None:
    domid = sim.create()
    assert sim.read(f"/local/domain/{domid}/console/tty")
    mode = (sim.files / "console" / "guest-g.log").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    assert sim.world.guest_side(domid).read(0x39000 << 12 | 3088, 1) == b"\0"


@pytest.mark.parametrize(
    "name, file",
    [
        (b"web01", "guest-web01.log"),
        (b"../../etc/passwd", "guest-domid-7.log"),
        (b"", "guest-domid-7.log"),
        (None, "guest-domid-7.log"),
        (b"x" * 300, "guest-domid-7.log"),
        (b"a\0b", "guest-domid-7.log"),
    ],
)
def test_no_name_leads_out_of_the_folder(sim: PeerWorld, name: bytes | None, file: str) -> None:
    assert daemon(sim).log_path(name, 7) == str(sim.files / "console" / file)


def test_a_guest_that_writes_nonsense_is_not_listened_to(sim: PeerWorld) -> None:
    domid = sim.create(extra="xenvm.behaviour=dead")
    side = sim.world.guest_side(domid)
    side.page(0x39000)[3084:3088] = b"\xff" * 4  # type: ignore[arg-type]
    side.notify(2)
    sim.world.settle()
    console = daemon(sim).consoles[domid]
    assert console.read() == b""
    side.page(0x39000)[3080:3088] = bytes(4) + b"\x05\0\0\0"  # type: ignore[arg-type]
    side.write((0x39000 << 12) + 1024, b"again")
    side.notify(2)
    sim.world.settle()
    assert console.read() == b"again"


def test_only_the_last_output_is_kept_for_a_client(sim: PeerWorld) -> None:
    domid = sim.create()
    console = daemon(sim).consoles[domid]
    console._limit = 100
    for number in range(300):
        sim.kernel(domid).log(f"line {number}")
        sim.world.settle()
    kept = console.read()
    assert len(kept) == 100 and kept.endswith(b"line 299\r\n")
    assert "line 0\n" in sim.log("g") and "line 150\n" in sim.log("g")


def test_a_guest_that_is_gone_holds_nothing(sim: PeerWorld) -> None:
    domid = sim.create()
    info = sim.world.hyper.domain(domid)
    assert info is not None
    destroy(sim.host, domid, info.uuid)
    assert not daemon(sim).consoles and not daemon(sim)._tokens


def test_a_second_life_of_a_name_is_logged_behind_the_first(sim: PeerWorld) -> None:
    for _ in range(2):
        domid = sim.create()
        info = sim.world.hyper.domain(domid)
        assert info is not None
        destroy(sim.host, domid, info.uuid)
    assert sim.log("g").count("Booting Linux") == 2
