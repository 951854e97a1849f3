"""On a real host: bad input touches nothing, and whatever fails later leaves nothing."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from tests.lab.dom0 import KERNEL, KERNEL32, RAMDISK32, Dom0, literal

UUID = "5f0c1a2b-0000-4000-8000-00000000fa11"

# Runs one command for each line of its input, and says of each what it said and how it ended.
TABLE = """
while read -r name command; do
    eval "$command" >/tmp/out 2>/tmp/err; code=$?
    printf '%s\\0%s\\0%s\\0%s\\0' "$name" "$code" "$(cat /tmp/out)" "$(cat /tmp/err)"
done
"""

# name: (what the configuration says, exit code, what the one line says)
BAD: dict[str, tuple[dict[str, Any], int, str]] = {
    "kernel-missing": ({"kernel": "/no/such"}, 6, "/no/such: no such file or directory"),
    "kernel-misshapen": ({"kernel": "/bin/ls"}, 6, "/bin/ls: an ELF file, which cannot be booted on ARM"),
    "ramdisk-missing": ({"ramdisk": "/no/such"}, 6, "/no/such: no such file or directory"),
    "ramdisk-empty": ({"ramdisk": "/root/empty"}, 6, "/root/empty: an empty file"),
    "tree-missing": ({"device_tree": "/no/such"}, 6, "/no/such: no such file or directory"),
    "tree-misshapen": ({"device_tree": "/bin/ls"}, 6, "/bin/ls: "),
    "disk-missing": ({"disk": ["/no/such,raw,xvda,rw"]}, 9, "/no/such: cannot be used as a disk: No such file"),
    "disk-folder": ({"disk": ["/root,raw,xvda,rw"]}, 9, "/root: is neither a block device nor a regular file"),
    "disk-mounted": ({"disk": ["/dev/vda,raw,xvda,rw"]}, 9, "/dev/vda: is mounted on / in this host"),
    "memory-too-much": ({"memory": 100000}, 1, "memory-too-much: not enough memory: it needs 100"),
    "memory-too-small": ({"memory": 8}, 6, "not enough memory: kernel, ramdisk and device tree need more than"),
    "bridge-missing": ({"vif": ["bridge=br9"]}, 9, "vif 0: the bridge br9 does not exist"),
    "bridge-none": ({"vif": ["bridge=lo"]}, 9, "vif 0: lo is a network interface, but not a bridge"),
    "script-missing": ({"vif": ["script=/no/such"]}, 9, "vif 0: its script /no/such is no program on this host"),
    "uuid-taken": ({"uuid": UUID}, 4, f"a domain with uuid {UUID} exists already: domid "),
    "name-taken": ({"name": "holder"}, 4, "a domain named 'holder' exists already: domid "),
    "name-of-dom0": ({"name": "Domain-0"}, 4, "a domain named 'Domain-0' exists already: domid 0"),
    "disk-taken": ({"disk": ["/srv/disks/held.img,raw,xvda,rw"]}, 9, "/srv/disks/held.img: is in use by domain "),
    "vcpus": ({"vcpus": 1000}, 6, "/root/vcpus.cfg:"),
    "vcpus-of-v2": ({"vcpus": 9, "gic_version": "v2"}, 6, "9 vCPUs are too many: a GICv2 has at most 8"),
    "gic-missing": ({"gic_version": "v2"}, 7, "gic_version=v2: this host has no such controller"),
    "no-iommu": ({"dtdev": ["/soc/uart"]}, 7, "passthrough needs an IOMMU that Xen drives; there is none"),
    "qcow2": ({"disk": ["/srv/disks/held.img,qcow2,xvda,rw"]}, 6, "disk xvda: format qcow2 needs QEMU"),
}
SYNTAX = "name = 'g'\nmemory = = 64\n"


@pytest.fixture(scope="module")
def holder(dom0: Dom0) -> None:
    """A paused guest whose name, uuid and disk are taken."""
    disk = dom0.disk("held")
    dom0.ok(": > /root/empty")
    dom0.xenvm(
        "create",
        "-p",
        "-e",
        dom0.config("holder", uuid=UUID, disk=[f"{disk},raw,xvda,rw"], memory=64, kernel=KERNEL32, ramdisk=None),
    )


def table(dom0: Dom0, commands: dict[str, str]) -> dict[str, tuple[int, str, str]]:
    """Runs commands one after the other: exit code, standard output and standard error of each."""
    lines = "".join(f"{name} {command}\n" for name, command in commands.items())
    said = dom0.ok(["bash", "-c", TABLE], stdin=lines.encode(), timeout=600).split("\0")[:-1]
    return {name: (int(code), out, err) for name, code, out, err in zip(*(said[n::4] for n in range(4)), strict=True)}


def test_bad_input_touches_nothing(dom0: Dom0, holder: None) -> None:
    try:
        before = dom0.traces()
        commands = {}
        for name, (settings, _, _) in BAD.items():
            words = shlex.quote(f"name={literal(settings.get('name', name))}")
            config = dom0.config(name, **{key: value for key, value in settings.items() if key != "name"})
            commands[name] = f"xenvm create {config} {words}"
        dom0.lab.write("/root/syntax.cfg", SYNTAX)
        commands["syntax"] = "xenvm create /root/syntax.cfg"
        commands["no-config"] = "xenvm create /no/such.cfg"
        found = table(dom0, commands)
        wanted = {name: (code, says) for name, (_, code, says) in BAD.items()}
        wanted["syntax"] = 6, "/root/syntax.cfg:2:10: config parsing error near `=': syntax error"
        wanted["no-config"] = 6, "/no/such.cfg: cannot read the configuration: No such file or directory"
        for name, (code, says) in wanted.items():
            got, out, err = found[name]
            parsing, _, error = err.partition("\n")
            assert parsing.startswith("Parsing config from /"), name
            assert (got, out, error.count("\n")) == (code, "", 0), f"{name}: {err}"
            assert error.startswith("xenvm: ") and says in error, f"{name}: {error}"
        assert dom0.traces() == before
    finally:
        dom0.destroy_all()


def test_not_root(clean: Dom0) -> None:
    config = clean.config("nobody", memory=64)
    clean.ok(["install", "-m", "644", config, "/tmp/nobody.cfg"])
    as_nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups xenvm"
    commands = {
        "create": "create -q /tmp/nobody.cfg",
        "list": "list",
        "destroy": "destroy 1",
        "shutdown": "shutdown -a",
    }
    found = table(clean, {name: f"{as_nobody} {words}" for name, words in commands.items()})
    for name, (code, out, err) in found.items():
        assert (code, out) == (1, ""), f"{name}: {err}"
        assert err == "xenvm: must be root: /dev/xen/privcmd cannot be opened for writing"


def test_every_fault_leaves_nothing(clean: Dom0) -> None:
    """Each hypercall is refused once; after each phase somebody types ^C, and the store's connection is lost."""
    disk = clean.disk("fault")
    config = clean.config(
        "fault",
        uuid=UUID,
        kernel=KERNEL32,
        ramdisk=RAMDISK32,
        memory=64,
        vuart="sbsa_uart",
        disk=[f"{disk},raw,xvda,rw"],
        vif=["bridge=xenbr0,mac=00:16:3e:fa:11:00"],
    )
    before, devices = clean.traces(), clean.ok("ls /sys/bus/xen-backend/devices")
    result = clean.lab.run(["python3", "-m", "tests.lab.faults", config], cwd="/mnt/xenvm", timeout=900)
    assert result.rc == 0, result.stdout + result.stderr
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(found) > 40
    for one in found:
        fault = one["fault"]
        if fault.startswith("interrupt"):
            assert one["kind"] == "KeyboardInterrupt", one
        elif fault.startswith("store lost"):
            assert one["kind"] in ("StoreClosed", "NoneType"), one
        else:
            operation, _, name = fault.split()
            assert one["kind"] in ("HypercallError", "UnsupportedError", "ConfigError"), one
            assert (operation in one["error"] and name in one["error"]) or operation == "create", one
        assert all("nothing of it is left" in note for note in one["notes"]), one
    assert clean.settled(before) == before
    assert clean.ok("ls /sys/bus/xen-backend/devices") == devices, "the kernel noticed that they are gone"


def test_whatever_is_killed_leaves_nothing_that_gc_does_not_find(clean: Dom0) -> None:
    """SIGKILL at several moments of a creation, a destruction, an attachment and a detachment."""
    disk, more = clean.disk("killed"), clean.disk("killed-more")
    config = clean.config(
        "killed",
        kernel=KERNEL32,
        ramdisk=None,
        memory=64,
        vuart="sbsa_uart",
        disk=[f"{disk},raw,xvda,rw"],
        vif=["bridge=xenbr0"],
    )
    before = clean.traces()
    result = clean.lab.run(["python3", "-m", "tests.lab.killed", config, more], cwd="/mnt/xenvm", timeout=900)
    assert result.rc == 0, result.stdout + result.stderr
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(found) > 10
    for one in found:
        assert one["left"] == {}, one
    assert any("domain:" in str(one["found"]) for one in found), "at least one domain was half built"
    assert clean.settled(before) == before


# The launcher of xenvm, with less patience.
IMPATIENT = "sed '/^sys.exit/i import xenvm.ops.create; xenvm.ops.create.BACKEND_SECONDS = 3.0' $(command -v xenvm)"


def test_no_console_daemon(clean: Dom0) -> None:
    config = clean.config("mute", memory=64, kernel=KERNEL32, ramdisk=None)
    clean.ok(f"{IMPATIENT} >/root/impatient && chmod +x /root/impatient && grep -q BACKEND_SECONDS /root/impatient")
    result = clean.run(
        f"kill -STOP $(pgrep -x xenconsoled); /root/impatient create -q {config}; code=$?;"
        " kill -CONT $(pgrep -x xenconsoled); exit $code"
    )
    assert result.rc == 5
    first, second = result.stderr.splitlines()
    assert first.startswith("xenvm: gave up waiting for the console daemon; last seen: /local/domain/")
    assert second.startswith("xenvm: mute, domain ") and second.endswith(" was not created; nothing of it is left")


@pytest.mark.parametrize("kind", ["vbd", "vif"])
def test_a_script_that_fails(clean: Dom0, kind: str) -> None:
    """The script says why in the store, as the block and vif scripts do."""
    path = "/root/failing"
    clean.lab.write(
        path,
        "#!/bin/sh\n"
        'case "$1" in add|online) xenstore-write "$XENBUS_PATH/hotplug-error" "no luck today"; exit 3;; esac\n',
        mode=0o755,
    )
    disk = clean.disk("scripted")
    settings = {
        "vbd": {"disk": [f"format=raw,vdev=xvda,access=rw,script={path},target={disk}"]},
        "vif": {"vif": [f"bridge=xenbr0,script={path}"]},
    }[kind]
    config = clean.config("scripted", memory=64, kernel=KERNEL32, ramdisk=None, **settings)
    error = clean.fails("create", "-q", config, code=9)
    first, second = error.splitlines()
    assert first.startswith(f"xenvm: {kind} ") and first.endswith("failed with exit status 3: no luck today")
    assert second.endswith(" was not created; nothing of it is left")


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP"])
def test_a_signal_at_any_time(clean: Dom0, name: str) -> None:
    """Whenever it comes: before the domain, while it is built, or after."""
    disk = clean.disk("signal")
    config = clean.config("signal", kernel=KERNEL, memory=256, disk=[f"{disk},raw,xvda,rw"], vif=["bridge=xenbr0"])
    for seconds in ("0.9", "1.4", "1.9", "2.4"):
        result = clean.run(f"timeout -s {name} {seconds} xenvm create -q -p -e {shlex.quote(config)}")
        if "signal" in clean.domains():
            clean.xenvm("destroy", "signal")
        assert len(clean.xl("list").splitlines()) == 2, result.stderr
