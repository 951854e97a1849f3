"""Guests of a simulated host to whom something has happened, and what explain says of each: FAULTS."""

from __future__ import annotations

import os
from collections.abc import Callable

from tests.support.peerworld import PeerWorld
from xenbus.diagnosis import BACK_END, GUEST, HOST, NOBODY, TOOLSTACK
from xenvm.host.sim.faults import FAILING, MISSING, SLOW, STUCK
from xenvm.ops import explain
from xenvm.ops.create import Options, create
from xenvm.ops.explain import Explained, Look
from xenvm.ops.names import find
from xenvm.ops.records import belongings
from xenvm.types import Domid

DISK, VIF, CONSOLE = "disk xvda", "vif 0", "console 0"
BACK, FRONT = "/local/domain/0/backend", "/local/domain/1/device"


def told(peers: PeerWorld, device: str | None = None) -> Look:
    return explain.look(peers.host, find(peers.host, "g"), device)


def one(peers: PeerWorld, name: str) -> Explained:
    return next(device for device in told(peers).devices if device.name == name)


def ask_away(peers: PeerWorld, kind: str = "vbd") -> None:
    """Asks for a detach, and does not wait."""
    record = next(record for record in belongings(peers.host, Domid(1)).devices if record.kind == kind)
    peers.world.store.write(f"{record.backend}/online", "0")
    peers.write(f"{record.backend}/state", "5")


def paused_start(peers: PeerWorld, service: str, fault: str) -> None:
    """The fault comes when the back end has made its offer, and before the guest runs."""
    paused(peers)
    peers.world.faults.services[service] = fault
    peers.world.hyper.unpause(Domid(1))
    peers.world.settle()


def paused(peers: PeerWorld) -> None:
    from xenvm.guest.load import load_text

    values = {
        "name": "g",
        "kernel": str(peers.folder / "Image"),
        "memory": 64,
        "disk": [peers._disk("g", 0)],
        "vif": ["bridge=xenbr0"],
    }
    create(peers.host, load_text("".join(f"{key} = {value!r}\n" for key, value in values.items()))[0], Options(True))


def usual(peers: PeerWorld, words: str = "normal") -> None:
    peers.create("g", disks=1, vifs=1, extra=f"xenvm.behaviour={words}")


def ignored(peers: PeerWorld) -> None:
    usual(peers, "ignore-detach")
    ask_away(peers)
    ask_away(peers, "vif")


def _held(peers: PeerWorld) -> None:
    usual(peers)
    peers.world.faults.services["vif"] = STUCK
    ask_away(peers, "vif")


def _held_and_missing(peers: PeerWorld) -> None:
    _held(peers)
    peers.world.faults.services["vif"] = MISSING


def _removed_and_missing(peers: PeerWorld) -> None:
    _held_and_missing(peers)
    peers.world.store.remove(f"{FRONT}/vif/0")


def no_bridge(peers: PeerWorld) -> None:
    usual(peers)
    peers.world.faults.bridges.add("xenbr0")


def _no_bridge_yet(peers: PeerWorld) -> None:
    """A toolstack that has gone away between the store and the bridge."""
    paused(peers)
    peers.world.store.write(f"{BACK}/vif/1/0/hotplug-status", "")
    peers.world.faults.bridges.add("xenbr0")


def _no_file(peers: PeerWorld) -> None:
    usual(peers)
    os.unlink(peers.disk("g"))


def _no_number(peers: PeerWorld) -> None:
    paused(peers)
    peers.world.store.remove(f"{BACK}/vbd/1/51712/physical-device")


def service_gone(service: str) -> Callable[[PeerWorld], None]:
    def prepare(peers: PeerWorld) -> None:
        usual(peers)
        peers.world.faults.services[service] = MISSING

    return prepare


def _never_taken(peers: PeerWorld) -> None:
    paused(peers)
    peers.world.faults.services["vbd"] = MISSING
    peers.world.store.write(f"{BACK}/vbd/1/51712/state", "1")


def asked_to_shut_down(peers: PeerWorld) -> None:
    usual(peers, "ignore-shutdown")
    peers.write("/local/domain/1/control/shutdown", "poweroff")


def _powered_off(peers: PeerWorld) -> None:
    usual(peers)
    peers.write("/local/domain/1/control/shutdown", "poweroff")
    peers.world.advance(10)


def _pause(peers: PeerWorld) -> None:
    usual(peers)
    peers.world.hyper.pause(Domid(1))


def _pause_detach(peers: PeerWorld) -> None:
    _pause(peers)
    ask_away(peers)


FAULTS: dict[str, tuple[Callable[[PeerWorld], None], str, str, str]] = {
    # Guests.
    "normal": (usual, DISK, NOBODY, "both ends are connected"),
    "slow": (
        lambda peers: usual(peers, "slow"),
        DISK,
        GUEST,
        "front end has not started: the guest's kernel has not booted, or has no driver for vbd;"
        " see its console: `xenvm console g`",
    ),
    "dead": (
        lambda peers: usual(peers, "dead"),
        VIF,
        GUEST,
        "front end has not started: the guest's kernel has not booted, or has no driver for vif;"
        " see its console: `xenvm console g`",
    ),
    "crash": (
        lambda peers: usual(peers, "crash"),
        DISK,
        TOOLSTACK,
        "domain g has crashed, see its console's log; `xenvm destroy g` clears it away",
    ),
    "ignore-shutdown": (asked_to_shut_down, DISK, NOBODY, "both ends are connected"),
    "ignore-detach": (
        ignored,
        DISK,
        GUEST,
        "the guest ignores the detach: front end still 4 Connected;"
        " `xenvm block-detach g xvda --force` takes the device away all the same",
    ),
    "no-vbd": (
        lambda peers: usual(peers, "no-vbd"),
        DISK,
        GUEST,
        "front end has not started: the guest's kernel runs, and no driver of it has taken the"
        " vbd (Linux: xen-blkfront)",
    ),
    "no-vif": (
        lambda peers: usual(peers, "no-vif"),
        VIF,
        GUEST,
        "front end has not started: the guest's kernel runs, and no driver of it has taken the"
        " vif (Linux: xen-netfront)",
    ),
    "no-rings": (
        lambda peers: usual(peers, "no-rings"),
        DISK,
        GUEST,
        "ring-ref, event-channel missing: the guest has not told of its rings; back end:"
        " '22 /local/domain/1/device/vbd/51712 has no sensible reference to a ring'",
    ),
    "no-rings, vif": (
        lambda peers: usual(peers, "no-rings"),
        VIF,
        GUEST,
        "tx-ring-ref, rx-ring-ref, event-channel, request-rx-copy missing: the guest has not told of its rings;"
        " back end: '22 /local/domain/1/device/vif/0 does not ask for copying'",
    ),
    "no-rings, back end slow": (
        lambda peers: _rings_withheld(peers),
        DISK,
        GUEST,
        "ring-ref, event-channel missing: front end says 3 Initialised, and has not told of its rings",
    ),
    "hostile": (
        lambda peers: usual(peers, "hostile"),
        DISK,
        GUEST,
        "the guest has written '99999999999999999999999999' as its state, which is none:"
        " its driver is broken or hostile",
    ),
    "powered off": (
        _powered_off,
        VIF,
        TOOLSTACK,
        "domain g has shut down, and nobody has cleared it away: `xenvm destroy g`",
    ),
    "paused": (
        lambda peers: paused(peers),
        DISK,
        TOOLSTACK,
        "domain g is paused, so it does nothing: `xenvm unpause g`",
    ),
    "paused, detach": (
        _pause_detach,
        DISK,
        TOOLSTACK,
        "domain g is paused, so it does nothing: `xenvm unpause g`",
    ),
    # The host's services.
    "vbd missing": (
        service_gone("vbd"),
        DISK,
        HOST,
        "both ends are connected, but no back end for vbd runs on this simulated host",
    ),
    "vif missing": (
        service_gone("vif"),
        VIF,
        HOST,
        "both ends are connected, but no back end for vif runs on this simulated host",
    ),
    "vbd missing, new device": (
        _never_taken,
        DISK,
        HOST,
        "back end has not started: no back end for vbd runs on this simulated host",
    ),
    "vbd missing, offered": (
        lambda peers: paused_start(peers, "vbd", MISSING),
        DISK,
        HOST,
        "back end does nothing: no back end for vbd runs on this simulated host",
    ),
    "vbd stuck": (
        lambda peers: paused_start(peers, "vbd", STUCK),
        DISK,
        BACK_END,
        "front end is ready, and the back end has to map its rings: see the kernel's log of its domain",
    ),
    "vbd slow": (
        lambda peers: paused_start(peers, "vbd", SLOW),
        DISK,
        BACK_END,
        "front end is ready, and the back end has to map its rings: see the kernel's log of its domain",
    ),
    "vif stuck, detach": (
        _held,
        VIF,
        BACK_END,
        "front end has let go, and the back end has to close: see the kernel's log of its domain",
    ),
    "vif missing, detach": (
        _held_and_missing,
        VIF,
        HOST,
        "back end cannot close: no back end for vif runs on this simulated host;"
        " `xenvm network-detach g 0 --force` takes the device away all the same",
    ),
    "vif missing, detach, front end gone": (
        _removed_and_missing,
        VIF,
        HOST,
        "back end cannot close: no back end for vif runs on this simulated host;"
        " `xenvm network-detach g 0 --force` takes the device away all the same",
    ),
    "vbd failing": (
        lambda peers: paused_start(peers, "vbd", FAILING),
        DISK,
        BACK_END,
        "back end has failed: '22 backend/vbd/1/51712 cannot be served: this back end has been told to fail'",
    ),
    "vif failing": (
        lambda peers: paused_start(peers, "vif", FAILING),
        VIF,
        BACK_END,
        "back end has failed: '22 backend/vif/1/0 cannot be served: this back end has been told to fail'",
    ),
    "console missing": (service_gone("console"), CONSOLE, HOST, "xenconsoled is not running"),
    # What is behind the back ends.
    "no bridge": (no_bridge, VIF, HOST, "both ends are connected, but bridge xenbr0 does not exist"),
    "no bridge, new device": (
        _no_bridge_yet,
        VIF,
        TOOLSTACK,
        "back end waits for hotplug-status; bridge xenbr0 does not exist",
    ),
    "no file": (_no_file, DISK, HOST, "both ends are connected, but the disk's file {disk} is gone"),
    "no device number": (
        _no_number,
        DISK,
        TOOLSTACK,
        "back end waits for physical-device; neither the toolstack nor its hotplug script has written it",
    ),
}


def _rings_withheld(peers: PeerWorld) -> None:
    peers.world.faults.services["vbd"] = SLOW
    usual(peers, "no-rings")
