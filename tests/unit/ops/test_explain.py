"""Every fault that the simulated host can have, and what explain says of it; who is told from what, and when."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.faultcases import (
    BACK,
    CONSOLE,
    DISK,
    FAULTS,
    FRONT,
    VIF,
    asked_to_shut_down,
    ignored,
    no_bridge,
    one,
    paused,
    paused_start,
    service_gone,
    told,
    usual,
)
from tests.support.peerworld import PeerWorld
from xenbus.diagnosis import GUEST, HOST, NOBODY
from xenvm.errors import DeviceError
from xenvm.host.sim import faults
from xenvm.host.sim.behaviour import _WORDS
from xenvm.host.sim.faults import FAILING, MISSING, SERVICES, SLOW, STUCK, Faults
from xenvm.ops import explain
from xenvm.ops.destroy import destroy
from xenvm.ops.detach import detach
from xenvm.ops.explain import Look
from xenvm.ops.names import find
from xenvm.ops.records import belongings
from xenvm.types import Domid


@pytest.fixture
def peers(tmp_path: Path) -> Iterator[PeerWorld]:
    made = PeerWorld(tmp_path)
    yield made
    made.host.close()


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_has_its_sentence(peers: PeerWorld, fault: str) -> None:
    prepare, device, who, sentence = FAULTS[fault]
    prepare(peers)
    found = one(peers, device).diagnosis
    assert (found.sentence, found.who) == (sentence.format(disk=peers.disk("g")), who)
    assert found.well == (who == NOBODY)


CONNECTED = ("connected", "connected", "console")
MATRIX: dict[str, tuple[Callable[[PeerWorld], None], tuple[str, str, str]]] = {
    # Of guests, and what is said of the disk, the vif and the console.
    "normal": (usual, CONNECTED),
    "slow": (lambda peers: usual(peers, "slow"), ("front-not-started", "front-not-started", "console")),
    "dead": (lambda peers: usual(peers, "dead"), ("front-not-started", "front-not-started", "console")),
    "crash": (lambda peers: usual(peers, "crash"), ("domain-down", "domain-down", "domain-down")),
    "ignore-shutdown": (asked_to_shut_down, CONNECTED),
    "ignore-detach": (ignored, ("detach-ignored", "detach-ignored", "console")),
    "no-vbd": (lambda peers: usual(peers, "no-vbd"), ("no-driver", "connected", "console")),
    "no-vif": (lambda peers: usual(peers, "no-vif"), ("connected", "no-driver", "console")),
    "no-rings": (lambda peers: usual(peers, "no-rings"), ("ring-missing", "ring-missing", "console")),
    "hostile": (lambda peers: usual(peers, "hostile"), ("front-senseless", "front-senseless", "console")),
    # Of services.
    "vbd missing": (lambda peers: paused_start(peers, "vbd", MISSING), ("back-stopped", "connected", "console")),
    "vbd stuck": (lambda peers: paused_start(peers, "vbd", STUCK), ("back-connect", "connected", "console")),
    "vbd slow": (lambda peers: paused_start(peers, "vbd", SLOW), ("back-connect", "connected", "console")),
    "vbd failing": (lambda peers: paused_start(peers, "vbd", FAILING), ("back-failed", "connected", "console")),
    "vif missing": (lambda peers: paused_start(peers, "vif", MISSING), ("connected", "back-stopped", "console")),
    "vif stuck": (lambda peers: paused_start(peers, "vif", STUCK), ("connected", "back-connect", "console")),
    "vif slow": (lambda peers: paused_start(peers, "vif", SLOW), ("connected", "back-connect", "console")),
    "vif failing": (lambda peers: paused_start(peers, "vif", FAILING), ("connected", "back-failed", "console")),
    "console missing": (service_gone("console"), ("connected", "connected", "console-daemon")),
    # Of bridges.
    "bridges": (no_bridge, ("connected", "source", "console")),
}
"""Every class of faults that the simulator has x every kind of device."""
OF_THE_GUEST = {"crash": "domain-down", "ignore-shutdown": "shutdown-untaken"}
"""What is said of the guest itself, if anything."""


@pytest.mark.parametrize("fault", MATRIX)
def test_every_fault_on_every_kind_of_device(peers: PeerWorld, fault: str) -> None:
    prepare, codes = MATRIX[fault]
    prepare(peers)
    found = told(peers)
    assert tuple(one(peers, device).diagnosis.code for device in (DISK, VIF, CONSOLE)) == codes
    assert found.guest.diagnosis.code == OF_THE_GUEST.get(fault, "running")
    assert found.well == (fault == "normal")


def test_no_fault_is_left_out() -> None:
    """Whoever adds a class of faults to the simulator finds it missing here."""
    services = [f"{service} {fault}" for service, each in SERVICES.items() for fault in each]
    others = set(vars(Faults())) - {"services"}
    assert set(MATRIX) == {*_WORDS, *services, *others}
    words = {value for name, value in vars(faults).items() if name.isupper() and isinstance(value, str)}
    assert words == {fault for each in SERVICES.values() for fault in each}
    assert {*_WORDS, *services} <= set(FAULTS) | {"vif stuck", "vif slow"}  # as with vbd, word for word


def test_a_guest_that_does_not_shut_down(peers: PeerWorld) -> None:
    asked_to_shut_down(peers)
    guest = told(peers).guest
    assert (guest.diagnosis.who, guest.diagnosis.sentence) == (
        GUEST,
        "domain g is asked for 'poweroff' by control/shutdown, and the guest's kernel has not taken that;"
        " see its console: `xenvm console g`; `xenvm destroy g` ends it anyway",
    )
    peers.write("/local/domain/1/control/shutdown", "")
    assert told(peers).well


def test_the_guest_s_age_is_of_the_host_s_clock(peers: PeerWorld) -> None:
    usual(peers)
    before = told(peers).guest.age
    peers.world.advance(50)
    after = told(peers).guest.age
    assert before is not None and before < 5 and after is not None and 50 <= after < 55


def test_a_shutdown_that_is_asked_for_is_followed(peers: PeerWorld) -> None:
    usual(peers, "ignore-shutdown")
    seen: list[Look] = []

    def tell(found: Look) -> None:
        seen.append(found)
        if len(seen) == 1:
            peers.world.store.write("/local/domain/1/control/shutdown", "reboot")

    explain.follow(peers.host, find(peers.host, "g"), None, tell)
    assert [look.guest.request for look in seen] == ["", "'reboot'"]


@pytest.mark.parametrize(
    ("told_of", "missing"),
    [
        (("event-channel-tx",), "event-channel-rx"),
        (("queue-0/event-channel-tx", "queue-0/event-channel-rx"), ""),
        (("event-channel",), ""),
        ((), "event-channel"),
    ],
)
def test_two_event_channels_of_a_vif(peers: PeerWorld, told_of: tuple[str, ...], missing: str) -> None:
    usual(peers)
    peers.world.store.remove(f"{FRONT}/vif/0/event-channel")
    for name in told_of:
        peers.world.store.write(f"{FRONT}/vif/0/{name}", "7")
    peers.world.store.write(f"{BACK}/vif/1/0/state", "2")
    sentence = one(peers, VIF).diagnosis.sentence
    assert sentence.startswith(f"{missing} missing: front end says 4 Connected" if missing else "front end is ready")


def test_what_was_mended_gets_on(peers: PeerWorld) -> None:
    paused_start(peers, "vbd", SLOW)
    assert not told(peers).well
    peers.world.advance(10)
    assert told(peers).well


def test_how_long_is_known_on_a_simulated_host(peers: PeerWorld) -> None:
    usual(peers)
    peers.world.advance(50)
    peers.write(f"{BACK}/vbd/1/51712/state", "4")  # as when a disk has got another size
    found = told(peers, "xvda")
    ends = found.devices[0].front, found.devices[0].back
    assert [end and end.since is not None and found.at - end.since for end in ends] == [50.0, 50.0]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("xvda", "51712", "vbd:51712"), [DISK]),
        (("0", "vif:0", "00:16:3E:00:00:67"), [VIF]),
        (("console:0",), [CONSOLE]),
    ],
)
def test_which_device(peers: PeerWorld, words: tuple[str, ...], names: list[str]) -> None:
    usual(peers)
    for word in words:
        assert [device.name for device in told(peers, word).devices] == names


@pytest.mark.parametrize("word", ["xvdb", "1", "vif:1", "", ":", "vbd:0"])
def test_a_device_that_is_not_there(peers: PeerWorld, word: str) -> None:
    usual(peers)
    with pytest.raises(DeviceError):
        told(peers, word)


def test_ends_that_are_gone(peers: PeerWorld) -> None:
    paused(peers)
    peers.world.store.remove(f"{FRONT}/vif/0")
    assert one(peers, VIF).diagnosis.code == "front-removed"
    peers.world.store.remove(f"{BACK}/vif/1/0")
    assert one(peers, VIF).diagnosis.code == "record-only"
    peers.world.store.remove(f"{BACK}/vbd/1/51712")
    assert one(peers, DISK).diagnosis.code == "back-gone"


def test_a_guest_that_names_another_back_end(peers: PeerWorld) -> None:
    usual(peers)
    peers.write(f"{FRONT}/vbd/51712/backend", "/local/domain/0/backend/vbd/7/51712")
    assert one(peers, DISK).diagnosis.code == "front-astray"


def test_errors_are_quoted_and_bounded(peers: PeerWorld) -> None:
    paused(peers)
    peers.world.store.write("/local/domain/1/error/device/vbd/51712/error", b"\x1b[2J" + b"A" * 3000)
    peers.write(f"{FRONT}/vbd/51712/state", "6")
    found = one(peers, DISK).diagnosis
    assert found.code == "front-failed" and found.sentence.startswith("front end has failed: '\\x1b[2JAAA")
    assert len(found.sentence) < 300


def test_following(peers: PeerWorld) -> None:
    paused(peers)
    seen: list[Look] = []

    def tell(found: Look) -> None:
        seen.append(found)
        if len(seen) == 1:
            peers.world.hyper.unpause(Domid(1))

    explain.follow(peers.host, find(peers.host, "g"), None, tell)
    assert [look.guest.life for look in seen] == ["paused", *["running"] * (len(seen) - 1)]
    assert seen[-1].well and not seen[0].well


def test_following_ends_with_the_guest(peers: PeerWorld) -> None:
    usual(peers)
    info = find(peers.host, "g")
    seen: list[Look] = []

    def tell(found: Look) -> None:
        seen.append(found)
        destroy(peers.host, info.domid, info.uuid)

    peers.host.lasting = True
    explain.follow(peers.host, info, None, tell)
    assert len(seen) == 1


def test_following_ends_with_the_device(peers: PeerWorld) -> None:
    usual(peers)
    info = find(peers.host, "g")
    record = next(record for record in belongings(peers.host, info.domid).devices if record.kind == "vbd")
    peers.host.lasting = True
    explain.follow(peers.host, info, "xvda", lambda _found: detach(peers.host, info, record))


def test_times_are_noted_where_the_host_does_not_tell(peers: PeerWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers.host, "changed_at", lambda path: None)
    usual(peers, "slow")
    seen: list[Look] = []
    explain.follow(peers.host, find(peers.host, "g"), "xvda", seen.append)
    fronts = [(front.state, front.since, look.at) for look in seen if (front := look.devices[0].front)]
    assert fronts[0][:2] == (1, None) and fronts[-1][0] == 4
    for (state, since, _), (next_state, next_since, at) in pairwise(fronts):
        # The moment of the look that has seen the change first; it stays while the state does.
        assert next_since == (since if state == next_state else at)


def test_a_look_waits_for_nothing(peers: PeerWorld) -> None:
    usual(peers, "dead")
    before = peers.world.now
    told(peers)
    assert peers.world.now == before


def record(peers: PeerWorld, kind: str, devid: int, back: str, state: str) -> None:
    """Both ends of a device, as a toolstack writes them."""
    front = f"{FRONT}/{kind}/{devid}"
    for path, value in (
        (f"/libxl/1/device/{kind}/{devid}/backend", back),
        (f"{front}/state", "1"),
        (f"{front}/backend", back),
        (f"{back}/state", state),
        (f"{back}/online", "1"),
    ):
        peers.world.store.write(path, value)


def test_devices_that_no_command_detaches(peers: PeerWorld) -> None:
    peers.create("g")
    record(peers, "9pfs", 0, f"{BACK}/9pfs/1/0", "1")
    assert one(peers, "9pfs 0").diagnosis.code == "back-not-started"
    peers.world.store.remove(f"{BACK}/9pfs/1/0")
    assert one(peers, "9pfs 0").diagnosis.sentence == "back end is gone: `xenvm destroy g` clears the rest away"


def test_a_back_end_in_a_domain_that_is_gone(peers: PeerWorld) -> None:
    peers.create("g")
    record(peers, "vbd", 51728, "/local/domain/9/backend/vbd/1/51728", "2")
    found = one(peers, "disk 51728").diagnosis
    assert (found.code, found.who) == ("back-stopped", HOST)
    assert found.sentence == "back end does nothing: domain 9, which serves it, does not exist"
