from __future__ import annotations

import stat

import pytest

from tests.support.peerworld import PeerWorld
from xenvm.host.sim.consoled import Consoled
from xenvm.ops.destroy import destroy


def daemon(live: PeerWorld) -> Consoled:
    (found,) = (service for service in live.world.services if isinstance(service, Consoled))
    return found


def test_every_console_gets_a_name_and_a_private_log(live: PeerWorld) -> None:
    domid = live.create()
    assert live.read(f"/local/domain/{domid}/console/tty")
    mode = (live.files / "console" / "guest-g.log").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    assert live.world.guest_side(domid).read(0x39000 << 12 | 3088, 1) == b"\0"


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
def test_no_name_leads_out_of_the_folder(live: PeerWorld, name: bytes | None, file: str) -> None:
    assert daemon(live).log_path(name, 7) == str(live.files / "console" / file)


def test_a_guest_that_writes_nonsense_is_not_listened_to(live: PeerWorld) -> None:
    domid = live.create(extra="xenvm.behaviour=dead")
    side = live.world.guest_side(domid)
    side.page(0x39000)[3084:3088] = b"\xff" * 4  # type: ignore[arg-type]
    side.notify(2)
    live.world.settle()
    console = daemon(live).consoles[domid]
    assert console.read() == b""
    side.page(0x39000)[3080:3088] = bytes(4) + b"\x05\0\0\0"  # type: ignore[arg-type]
    side.write((0x39000 << 12) + 1024, b"again")
    side.notify(2)
    live.world.settle()
    assert console.read() == b"again"


def test_only_the_last_output_is_kept_for_a_client(live: PeerWorld) -> None:
    domid = live.create()
    console = daemon(live).consoles[domid]
    console._limit = 100
    for number in range(300):
        live.kernel(domid).log(f"line {number}")
        live.world.settle()
    kept = console.read()
    assert len(kept) == 100 and kept.endswith(b"line 299\r\n")
    assert "line 0\n" in live.log("g") and "line 150\n" in live.log("g")


def test_a_guest_that_is_gone_holds_nothing(live: PeerWorld) -> None:
    domid = live.create()
    info = live.world.hyper.domain(domid)
    assert info is not None
    destroy(live.host, domid, info.uuid)
    assert not daemon(live).consoles and not daemon(live)._tokens


def test_a_second_life_of_a_name_is_logged_behind_the_first(live: PeerWorld) -> None:
    for _ in range(2):
        domid = live.create()
        info = live.world.hyper.domain(domid)
        assert info is not None
        destroy(live.host, domid, info.uuid)
    assert live.log("g").count("Booting Linux") == 2
