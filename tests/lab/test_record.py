"""A guest's life as the store shows it, recorded by watches in a real dom0, and answered by our own drivers."""

from __future__ import annotations

import json

from tests.lab.dom0 import Dom0

NAME, MAC = "taped", "00:16:3e:44:55:77"

# Waits for what a recorder that runs in the background says.
_SAYS = 'until grep -q "$2" "$1"; do sleep 0.2; done'


def test_a_life_is_recorded_and_our_drivers_answer_it(clean: Dom0) -> None:
    disk = clean.disk(NAME)
    config = clean.config(NAME, disk=[f"{disk},raw,xvda,w"], vif=[f"mac={MAC},bridge=xenbr0"])
    try:
        clean.ok(["bash", "-c", f"xenvm record {NAME} -o /root/tape --seconds 600 >/root/tape.log 2>&1 &"])
        says(clean, "waiting for a domain")
        clean.xenvm("create", config)
        clean.console(NAME, "xenvm-guest: ready")
        connected(clean)
        clean.xenvm("block-detach", NAME, "xvda")
        clean.xenvm("network-detach", NAME, MAC)
        clean.xenvm("destroy", NAME)
        says(clean, "what was recorded is gone")
        assert clean.ok("stat -c %a /root/tape").strip() == "600"
        for end, states in (("back", [4, 6]), ("front", [4, 6])):
            played = json.loads(clean.xenvm("replay", "/root/tape", "--against", end, "--json"))["devices"]
            assert [(device["device"], device["same"]) for device in played] == [("vbd 51712", True), ("vif 0", True)]
            assert all(device["played"][-2:] == states for device in played)
    finally:
        clean.ok(f"rm -f /root/tape /root/tape.log {disk} {config}")


def says(dom0: Dom0, words: str) -> None:
    """Waits for a line of the recorder."""
    dom0.ok(["bash", "-c", _SAYS, "says", "/root/tape.log", words])


def connected(dom0: Dom0) -> None:
    """Waits until both devices are in service."""
    dom0.ok(["bash", "-c", f"until xenvm explain {NAME} >/dev/null; do sleep 0.5; done"])
