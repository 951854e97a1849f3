"""Guests of other kinds, other ways to end, and guests that xl and xenvm take over from each other."""

from __future__ import annotations

import pytest

from tests.lab.dom0 import KERNEL32, RAMDISK32, Dom0


def test_shutdown_and_wait(clean: Dom0) -> None:
    """The guest takes the request, goes down, and the monitor destroys it as on_poweroff says."""
    clean.xenvm("create", clean.config("down"))
    clean.console("down", "xenvm-guest: ready")
    clean.xenvm("shutdown", "-w", "down")
    clean.gone("down")


@pytest.mark.parametrize("by", ["xenvm", "xl"])
def test_reboot(clean: Dom0, by: str) -> None:
    """The guest comes back under its name and uuid, with another domid."""
    clean.xenvm("create", clean.config("again"))
    clean.console("again", "xenvm-guest: ready")
    before = clean.domains()["again"]
    clean.forget_console("again")
    clean.ok([by, "reboot", "again"])
    clean.console("again", "xenvm-guest: ready")
    after = clean.domains()["again"]
    assert after["uuid"] == before["uuid"]
    assert after["domid"] != before["domid"]
    clean.xenvm("destroy", "again")


def test_preserve(clean: Dom0) -> None:
    """A guest that is to be kept after its end stays, shut down, until it is destroyed."""
    clean.xenvm("create", clean.config("kept", on_poweroff="preserve", cmdline="console=hvc0 guest.poweroff"))
    clean.log("/var/log/xen/xenvm-kept.log", "preserve")
    kept = clean.domains()["kept"]
    assert kept["state"] == ["shutdown"] and kept["shutdown_reason"] == "poweroff"
    clean.xenvm("destroy", "kept")


def test_paused_and_vuart(clean: Dom0) -> None:
    """A guest that is left paused starts when it is told to; its vuart has a terminal of its own."""
    clean.xenvm("create", "-p", clean.config("later", vuart="sbsa_uart"))
    assert clean.domains()["later"]["state"] == ["paused"]
    domid = clean.xenvm("domid", "later").strip()
    assert clean.ok(["xenstore-read", f"/local/domain/{domid}/vuart/0/tty"]).startswith("/dev/pts/")
    clean.xl("unpause", "later")
    clean.console("later", "xenvm-guest: ready")
    clean.xenvm("destroy", "later")


def test_a_32_bit_guest(clean: Dom0) -> None:
    """Pinned: under QEMU a 32-bit vCPU may crash when it moves to another processor, see docs/lab.md."""
    config = clean.config("small", kernel=KERNEL32, ramdisk=RAMDISK32, cpus="1")
    clean.xenvm("create", config)
    assert "machine=armv7l" in clean.console("small", "xenvm-guest: up")
    clean.xl("destroy", "small")


def test_two_banks_of_memory(clean: Dom0) -> None:
    config = clean.config("large", memory=4608)
    clean.xenvm("create", config)
    memory = clean.console("large", "xenvm-guest: up")
    assert int(memory.split("mem=")[1].split("k")[0]) > 4 << 20
    clean.xenvm("destroy", "large")


def test_a_crashed_kernel_is_destroyed(clean: Dom0) -> None:
    disk = clean.disk("crash")
    config = clean.config("crash", disk=[f"{disk},raw,xvda,rw"], cmdline="console=hvc0 xenvm.disk=xvda guest.crash")
    clean.xenvm("create", config)
    clean.console("crash", "Kernel panic")
    clean.xenvm("destroy", "crash")


def test_we_destroy_what_xl_created(clean: Dom0) -> None:
    disk = clean.disk("theirs")
    config = clean.config("theirs", disk=[f"{disk},raw,xvda,rw"], vif=["bridge=xenbr0"])
    clean.xl("create", config)
    clean.console("theirs", "xenvm-guest: ready")
    assert clean.domains()["theirs"]["vcpus_online"] == 1
    assert "\nanswer-of-theirs" in clean.talk("xenvm", "theirs", "answer-of-theirs")
    clean.xenvm("destroy", "theirs")


def test_we_shut_down_what_xl_created(clean: Dom0) -> None:
    """xl's own daemon destroys it, as its configuration says."""
    clean.xl("create", clean.config("theirs"))
    clean.console("theirs", "xenvm-guest: ready")
    clean.xenvm("shutdown", "-w", "theirs")
    clean.gone("theirs")


def test_with_the_hosts_hotplug_scripts(clean: Dom0) -> None:
    disk = clean.disk("scripted")
    config = clean.config(
        "scripted",
        disk=[f"{disk},raw,xvda,rw"],
        vif=["bridge=xenbr0"],
        cmdline="console=hvc0 xenvm.disk=xvda guest.write=by-script guest.ip=10.0.0.3/24 guest.ping=10.0.0.1",
    )
    clean.xenvm("create", "--hotplug-scripts", config)
    clean.console("scripted", "xenvm-guest: ping 10.0.0.1 ok")
    assert clean.ok(["head", "-c", "9", disk]) == "by-script"
    clean.xenvm("destroy", "scripted")


def test_xl_destroys_what_we_created(clean: Dom0) -> None:
    disk = clean.disk("ours")
    config = clean.config("ours", disk=[f"{disk},raw,xvda,rw"], vif=["bridge=xenbr0"])
    clean.xenvm("create", config)
    clean.console("ours", "xenvm-guest: ready")
    clean.xl("destroy", "ours")
