"""On a real host: explain names what a guest waits for, and doctor finds nothing wrong with the lab, or what is."""

from __future__ import annotations

import json

from tests.lab.dom0 import Dom0

NAME, BRIDGE = "stuck", "xbstuck"
_UNTIL = (
    f"until xenvm explain {NAME} xvda | grep -q 'no driver of it has taken the vbd (Linux: xen-blkfront)'; do :; done"
)


def explained(dom0: Dom0) -> dict[str, tuple[str, str]]:
    """Device -> (code, sentence)."""
    result = dom0.run(["xenvm", "explain", "--json", NAME])
    found = json.loads(result.stdout)
    assert result.rc == (0 if found["well"] else 1)
    return {device["device"]: (device["code"], device["sentence"]) for device in found["devices"]}


def test_what_real_guests_wait_for(clean: Dom0) -> None:
    """One guest, which comes through all of it: paused, without drivers, without a bridge, asked to let go, crashed."""
    dom0 = clean
    disk = dom0.disk(NAME)
    # No init of it loads the drivers of its disk and its vif.
    config = dom0.config(
        NAME,
        cmdline="console=hvc0 rdinit=/bin/sh",
        disk=[f"{disk},raw,xvda,w"],
        vif=[f"bridge={BRIDGE}"],
        on_crash="preserve",
    )
    try:
        dom0.ok(["ip", "link", "add", BRIDGE, "type", "bridge"])
        dom0.xenvm("create", "-p", "-q", config)
        assert {code for code, _ in explained(dom0).values()} == {"paused", "console"}

        dom0.xenvm("unpause", NAME)
        dom0.ok(_UNTIL, timeout=300)
        assert explained(dom0)["vif 0"][0] == "no-driver"

        domid = dom0.xenvm("domid", NAME).strip()
        dom0.ok(["ip", "link", "del", BRIDGE])
        dom0.ok(["xenstore-write", f"/local/domain/0/backend/vif/{domid}/0/hotplug-status", ""])
        sentence = f"back end waits for hotplug-status; bridge {BRIDGE} does not exist"
        assert explained(dom0)["vif 0"] == ("hotplug", sentence)

        dom0.fails("block-detach", NAME, "xvda", code=9)
        assert explained(dom0)["disk xvda"][0] == "detach-unheard"

        dom0.xenvm("trigger", NAME, "crash")
        found = explained(dom0)
        assert found["disk xvda"] == (
            "domain-down",
            f"domain {NAME} has crashed, see its console's log; `xenvm destroy {NAME}` clears it away",
        )
        assert f"domain {domid} has shut down" in dom0.xenvm("doctor")
        dom0.xenvm("destroy", NAME)
    finally:
        dom0.run(["ip", "link", "del", BRIDGE])
        dom0.run(["rm", "-f", disk])


def test_doctor_tells_what_a_configuration_lacks(dom0: Dom0) -> None:
    config = dom0.config("lacking", disk=["/srv/disks/nowhere.img,raw,xvda,w"], vif=["bridge=nobridge"])
    result = dom0.run(["xenvm", "doctor", "--json", "--config", config])
    failed = [each["sentence"] for each in json.loads(result.stdout)["findings"] if each["level"] == "fail"]
    assert result.rc == 1
    assert failed == ["the disk's file /srv/disks/nowhere.img is gone", "bridge nobridge does not exist"]


def test_the_kernels_own_way_to_the_store(dom0: Dom0) -> None:
    """Through /dev/xen/xenbus as over the socket: the same lists, and watches."""
    device = ["--socket", "/dev/xen/xenbus"]
    dom0.ok(["xenstore-write", "/local/domain/0/xenvm-test/a", "1"])
    try:
        over_socket = dom0.xenvm("store", "ls", "-f", "-p", "/local/domain/0/xenvm-test")
        assert dom0.xenvm("store", "ls", "-f", "-p", *device, "/local/domain/0/xenvm-test") == over_socket
        assert dom0.xenvm("store", "read", *device, "xenvm-test/a") == "1\n"
        dom0.xenvm("store", "write", *device, "xenvm-test/b", "2", "xenvm-test/c", "3")
        assert (
            dom0.xenvm("store", "watch", "-v", "-n", "1", *device, "/local/domain/0/xenvm-test/b")
            .strip()
            .endswith('"2"')
        )
    finally:
        dom0.ok(["xenstore-rm", "/local/domain/0/xenvm-test"])
