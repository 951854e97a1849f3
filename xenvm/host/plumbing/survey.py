"""What this machine has, or lacks, to be a Xen host: kernel modules, device nodes, daemons, terminals, bridges, room.

As Linux, xenfs, the Xen daemons and the initialisation scripts of Xen have them (xencommons, xen-init-dom0).
"""

from __future__ import annotations

import os

from xenbus.value import Value
from xenvm.host.plumbing import health

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

OK, WARN, FAIL = "ok", "warn", "fail"
"""As it should be; not needed by every guest, or soon to be trouble; some or all creations fail."""
MIB = 1 << 20
_LITTLE, _TOO_LITTLE = 64 * MIB, MIB


class Finding(Value):
    """What was looked at, how it is, in one sentence, and how to mend it: a command or a sentence."""

    check: str
    level: str
    sentence: str
    fix: str = ""


_NODES = (
    (("dev/xen/privcmd", "proc/xen/privcmd"), FAIL, "no hypercall can be made", "modprobe xen-privcmd"),
    (("dev/xen/gntdev",), WARN, "images are loaded slowly, and no back end in a program works", "modprobe xen-gntdev"),
    (("dev/xen/evtchn", "proc/xen/evtchn"), WARN, "xenstored and xenconsoled cannot start", "modprobe xen-evtchn"),
    (("proc/xen/capabilities",), WARN, "xl and the Xen daemons need it", "mount -t xenfs xenfs /proc/xen"),
)  # fmt: skip
"""Device nodes: any of these, how bad it is without, what does not work then, the fix."""
_DAEMONS = (
    ("xenconsoled", "no guest can be created: create waits for its console", "systemctl start xenconsoled"),
    ("xenstored", "there is no store", "systemctl start xenstored (Debian: service xen start), once after a boot"),
)
_FOLDERS = (
    ("var/lib/xen", "configurations of guests are kept there"),
    ("var/log/xen", "logs of consoles and monitors are there"),
)


def survey(root: str = "/") -> Iterator[Finding]:
    """Everything about the machine that needs neither hypercalls nor the store."""
    yield from _device_nodes(root)
    yield from _modules(root)
    yield from _daemons(root)
    yield _terminals(root)
    yield from _bridges()
    yield from _room(root)
    yield from _loops(root)


def _device_nodes(root: str) -> Iterator[Finding]:
    for paths, level, without, fix in _NODES:
        path = next((path for path in paths if os.path.exists(root + path)), None)
        if path is None:
            yield Finding("device node", level, f"/{paths[0]} is missing: {without}", fix)
        elif path.endswith("privcmd") and not os.access(root + path, os.R_OK | os.W_OK):
            yield Finding("device node", FAIL, f"/{path} cannot be opened for writing", "be root: sudo xenvm ...")
        else:
            yield Finding("device node", OK, f"/{path} is there")


def _modules(root: str) -> Iterator[Finding]:
    for kind, module in health.MODULES.items():
        trouble = health.driver(kind, root)
        what = {"vbd": "disks", "vif": "network interfaces"}[kind]
        if trouble:
            yield Finding("module", FAIL, f"{module} is not loaded: no guest with {what} works", f"modprobe {module}")
        else:
            yield Finding("module", OK, f"{module} serves {what}")
    if os.path.exists(f"{root}dev/loop-control"):
        yield Finding("module", OK, "loop serves disks in files")
    else:
        yield Finding("module", FAIL, "loop is not loaded: no guest with a disk in a file works", "modprobe loop")


def _daemons(root: str) -> Iterator[Finding]:
    for program, without, fix in _DAEMONS:
        runs = health.daemon(program, root)
        if runs is False and program == "xenstored" and health.daemon("oxenstored", root):
            runs = True
        if runs is None:
            yield Finding("daemon", WARN, f"whether {program} runs cannot be told: /proc cannot be read")
        elif runs:
            yield Finding("daemon", OK, f"{program} runs")
        else:
            yield Finding("daemon", FAIL, f"{program} is not running: {without}", fix)


def _terminals(root: str) -> Finding:
    """Each console takes a pseudo-terminal."""
    if not os.path.exists(f"{root}dev/pts/ptmx") and not os.path.exists(f"{root}dev/ptmx"):
        return Finding(
            "terminals", FAIL, "/dev/pts is not mounted: no console works", "mount -t devpts devpts /dev/pts"
        )
    used, most = (_number(f"{root}proc/sys/kernel/pty/{name}") for name in ("nr", "max"))
    if used is None or most is None:
        return Finding("terminals", OK, "there are pseudo-terminals")
    if most - used < 4:
        sentence = f"{used} of {most} pseudo-terminals are in use: each console takes one"
        return Finding("terminals", FAIL, sentence, f"sysctl kernel.pty.max={2 * most}")
    return Finding("terminals", OK, f"{used} of {most} pseudo-terminals are in use")


def _bridges() -> Iterator[Finding]:
    from xenvm.host.plumbing.netlink import UP, Netlink

    try:
        with Netlink() as net:
            found = [link for link in net.links() if link.kind in ("bridge", "openvswitch")]
    except OSError as error:
        yield Finding("bridge", WARN, f"network interfaces cannot be listed: {error.strerror}")
        return
    if not found:
        fix = "ip link add xenbr0 type bridge && ip link set xenbr0 up"
        yield Finding("bridge", WARN, "there is no bridge: guests with vifs cannot be created", fix)
    for link in found:
        if link.flags & UP:
            yield Finding("bridge", OK, f"the bridge {link.name} is up")
        else:
            yield Finding("bridge", WARN, f"the bridge {link.name} is down", f"ip link set {link.name} up")


def _room(root: str) -> Iterator[Finding]:
    for folder, use in _FOLDERS:
        path = root + folder
        while not os.path.isdir(path) and path.rstrip("/") not in (root.rstrip("/"), ""):
            path = os.path.dirname(path)
        status = os.statvfs(path)
        free = status.f_bavail * status.f_frsize
        sentence = f"{free // MIB} MiB are free in /{folder}: {use}"
        if not os.access(path, os.W_OK):
            yield Finding("disk space", FAIL, f"/{folder} cannot be written: {use}", "be root, or mount it for writing")
        elif free < _LITTLE:
            fix = "make room: old logs of guests' consoles can go"
            yield Finding("disk space", FAIL if free < _TOO_LITTLE else WARN, sentence, fix)
        else:
            yield Finding("disk space", OK, sentence)


def _loops(root: str) -> Iterator[Finding]:
    """Loop devices that still hold a file which was removed."""
    try:
        names = sorted(name for name in os.listdir(f"{root}sys/block") if name.startswith("loop"))
    except OSError:
        return
    used = {name: text for name in names if (text := health.text(f"{root}sys/block/{name}/loop/backing_file"))}
    for name, text in used.items():
        if text.endswith(health.DELETED):
            sentence = f"/dev/{name} holds a file that was removed: {text.removesuffix(health.DELETED)}"
            yield Finding("loop device", WARN, sentence, f"losetup -d /dev/{name}, if no guest uses it")


def _number(path: str) -> int | None:
    text = health.text(path)
    return int(text) if text is not None and text.isdecimal() else None


def tool_releases(root: str = "/") -> list[str]:
    """Releases of Xen whose daemons and tools are installed, as Debian does: ``4.17``."""
    try:
        names = os.listdir(f"{root}usr/lib")
    except OSError:
        return []
    found = [name.removeprefix("xen-") for name in names if name.startswith("xen-")]
    return sorted(name for name in found if name.replace(".", "").isdecimal())
