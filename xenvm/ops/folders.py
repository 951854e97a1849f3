"""Shared folders (9pfs): checked before anything is touched, and who serves them started.

Those of type=qemu are served by a process of ours, see `serving`; those of type=xen_9pfsd by Xen's own daemon. One
daemon serves the whole host, as libxl has it: it is started with the first guest that needs it, says in the store that
it runs, and stays. It takes its nodes away when somebody ends it (SIGHUP); one that was killed does not.
"""

from __future__ import annotations

from xenbus.request import Discard, Read, Write
from xenvm.errors import DeviceError, HostError
from xenvm.guest.classes import P9Spec
from xenvm.guest.special import folder_reason
from xenvm.ops import serving
from xenvm.ops.others import is_ours
from xenvm.ops.records import known
from xenvm.types import DOM0

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from xenvm.guest.nodes import Device
    from xenvm.guest.spec import GuestSpec
    from xenvm.host.open import Host

BACK_KIND = "xen_9pfs"
"""The directory that the daemon looks at, below its domain's `backend`."""
HOME = "/local/domain/0/libxl/xen-9pfs"
"""Where it says that it runs; here and in libxl."""
READY_SECONDS = 60.0
"""How long its start may take, as in libxl."""
_LOOK_SECONDS = 0.2


def check(host: Host, spec: GuestSpec) -> None:
    """Refuses what could not be served here: UnsupportedError without Xen's daemon, DeviceError for a folder."""
    own = [(number, p9) for number, p9 in enumerate(spec.p9s) if p9.backend == "0"]
    if any(p9.type == "xen_9pfsd" for _number, p9 in own):
        host.plumbing.p9daemon.find(host.hyper.version.release)
    for number, p9 in own:
        _check(host, f"9pfs {number}", p9)


def _check(host: Host, name: str, p9: P9Spec) -> None:
    daemon = host.plumbing.p9daemon
    find = daemon.check_folder if p9.type == "xen_9pfsd" else daemon.check_shared
    if reason := folder_reason(p9) or find(p9.path):
        raise DeviceError(name, reason)


def is_served(device: Device) -> bool:
    """Whether the daemon of this host is to serve a device."""
    return device.back_kind == BACK_KIND and device.backend_domid == DOM0


def serve(host: Host, device: Device) -> None:
    """Has who serves it run for a device of a running guest, if that is this host; DeviceError for one that could not
    be served."""
    who = "qemu" if is_ours(device) else "xen_9pfsd" if is_served(device) else ""
    if not who:
        return
    back, front = dict(device.back), dict(device.front)
    p9 = P9Spec(front.get("tag", ""), back.get("path", ""), back.get("security_model", ""), type=who)
    _check(host, device.kind, p9)
    if who == "qemu":
        serving.start_if_missing(host)
    else:
        with host.plumbing.locks.host_lock():
            start_if_missing(host)


def start_if_missing(host: Host) -> None:
    """Starts the daemon unless it runs, and returns when it does; UnsupportedError, HostError. Whoever calls this holds
    the host's lock, so that no other toolstack starts one meanwhile."""
    daemon, store, path = host.plumbing.p9daemon, host.store, f"{HOME}/state"
    program = daemon.find(host.hyper.version.release)
    if known(store.batch([Read(path)])[0]) is not None:
        if host.plumbing.health.daemon(daemon.NAME) is not False:
            return
        store.batch_checked([Discard(HOME)])  # It was killed: the next one takes this for another that runs.
    started = daemon.start(program)
    store.batch_checked([Write(f"{HOME}/pid", started.pid)])

    def runs(values: Mapping[str, bytes | None]) -> bool:
        if values[path] == b"running":
            return True
        if started.ended():
            raise HostError(f"{program}, which serves shared folders, ended at once: see the system's log")
        return False

    with store.follow([path]) as follower:
        follower.wait(runs, store.clock() + READY_SECONDS, program, _LOOK_SECONDS)
