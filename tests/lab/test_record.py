"""A guest's life as the store shows it, recorded by watches in a real dom0, and answered by our own drivers."""

from __future__ import annotations

import json
from typing import Any

from tests.lab.dom0 import Dom0

NAME, MAC = "taped", "00:16:3e:44:55:77"

# Waits for what a recorder that runs in the background says.
_SAYS = 'until grep -q "$2" "$1"; do sleep 0.2; done'


def test_a_life_is_recorded_and_our_drivers_answer_it(clean: Dom0) -> None:
    disk = clean.disk(NAME)
    config = clean.config(NAME, disk=[f"{disk},raw,xvda,w"], vif=[f"mac={MAC},bridge=xenbr0"])
    try:
        live(clean, config)
        for end in ("back", "front"):
            found = played(clean, end)
            assert [(device["device"], device["same"]) for device in found] == [("vbd 51712", True), ("vif 0", True)]
            assert all(device["played"][-2:] == [4, 6] for device in found)
    finally:
        clean.ok(f"rm -f /root/tape /root/tape.log {disk} {config}")


def live(dom0: Dom0, config: str) -> None:
    """Records a guest from before its creation to its end."""
    dom0.ok("rm -f /root/tape /root/tape.log")
    dom0.ok(["bash", "-c", f"xenvm record {NAME} -o /root/tape --seconds 600 >/root/tape.log 2>&1 &"])
    says(dom0, "waiting for a domain")
    dom0.xenvm("create", config)
    dom0.console(NAME, "xenvm-guest: ready")
    connected(dom0)
    dom0.xenvm("block-detach", NAME, "xvda")
    dom0.xenvm("network-detach", NAME, MAC)
    dom0.xenvm("destroy", NAME)
    says(dom0, "what was recorded is gone")
    assert dom0.ok("stat -c %a /root/tape").strip() == "600"


def played(dom0: Dom0, end: str) -> list[dict[str, Any]]:
    """What our driver of one end makes of the recording; the exit code says the same."""
    said = dom0.run(["xenvm", "replay", "/root/tape", "--against", end, "--json"]).stdout
    devices: list[dict[str, Any]] = json.loads(said)["devices"]
    return devices


def says(dom0: Dom0, words: str) -> None:
    """Waits for a line of the recorder."""
    dom0.ok(["bash", "-c", _SAYS, "says", "/root/tape.log", words])


def connected(dom0: Dom0) -> None:
    """Waits until both devices are in service."""
    dom0.ok(["bash", "-c", f"until xenvm explain {NAME} >/dev/null; do sleep 0.5; done"])
