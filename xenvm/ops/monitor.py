"""What follows when a guest goes down: the actions of on_poweroff, on_reboot, on_crash and on_watchdog.

One process for each guest, as xl has it, started by `create` once the guest runs.
"""

from __future__ import annotations

import os
import time

from xenbus.errors import XenbusError
from xenbus.request import Write
from xenvm.errors import ConfigError, HostError, XenvmError
from xenvm.guest.blueprint import random_uuid
from xenvm.host.hyper import SHUTDOWN_REASONS
from xenvm.ops.create import Options, create
from xenvm.ops.destroy import destroy
from xenvm.ops.names import names
from xenvm.ops.signals import Shield

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenvm.guest.spec import GuestSpec
    from xenvm.host.hyper import DomainInfo
    from xenvm.host.open import Host
    from xenvm.types import Domid

    Say = Callable[[str], None]

LOG_FOLDER = "/var/log/xen"
_SUSPEND = SHUTDOWN_REASONS.index("suspend")
_SUPPORTED = ("destroy", "restart", "rename-restart", "preserve")


def action_for(spec: GuestSpec, code: int) -> str:
    """What the configuration wants after a shutdown with this code; an unknown code is a crash."""
    wanted = (spec.on_poweroff, spec.on_reboot, "", spec.on_crash, spec.on_watchdog, spec.on_soft_reset)
    return wanted[code] if code < len(wanted) else spec.on_crash


def check_actions(spec: GuestSpec) -> None:
    """Refuses actions that would end in something else than what they say."""
    for key in ("on_poweroff", "on_reboot", "on_crash", "on_watchdog"):
        action = getattr(spec, key)
        if action not in _SUPPORTED:
            line, column = (spec.places or {}).get(key, (0, 0))
            reason = f"{key}={action}: xenvm cannot dump cores or reset softly; there are {', '.join(_SUPPORTED)}"
            raise ConfigError(reason, source=spec.source, line=line, column=column)


def watch(host: Host, domid: Domid, spec: GuestSpec, options: Options, say: Say) -> None:
    """Waits for the guest to go down and acts on it, again and again while it is restarted."""
    while True:
        info = _wait_down(host, domid)
        if info is None or info.dying or info.shutdown_code is None:
            say(f"domain {domid} is gone")
            return
        action = action_for(spec, info.shutdown_code)
        if action not in _SUPPORTED:
            action = "destroy"  # As xl does where a soft reset fails, which on ARM it always would.
        say(f"domain {domid} has shut down, reason {info.shutdown_code}: {action}")
        if action == "preserve":
            return
        spec = spec.replace(name=names(host, [domid])[domid] or spec.name, uuid=info.uuid)
        with Shield():
            successor = _act(host, info, spec, action, options, say)
        if successor is None:
            return
        domid = successor
        say(f"{spec.name} is domain {domid} now")


def _act(host: Host, info: DomainInfo, spec: GuestSpec, action: str, options: Options, say: Say) -> Domid | None:
    """Does what follows; the guest's new domid if it is restarted."""
    if action == "rename-restart":
        _set_aside(host, info, spec.name)
    else:
        for trouble in destroy(host, info.domid, info.uuid):
            say(trouble)
    return None if action == "destroy" else create(host, spec, options.replace(paused=False))


def _wait_down(host: Host, domid: Domid) -> DomainInfo | None:
    def down(_: object) -> bool:
        info = host.hyper.domain(domid)
        return info is None or info.dying or (info.shutdown and info.shutdown_code != _SUSPEND)

    with host.store.follow(["@releaseDomain"]) as follower:
        follower.wait(down, None, f"domain {domid} to go down")
    return host.hyper.domain(domid)


def _set_aside(host: Host, info: DomainInfo, name: str) -> None:
    """Gives a dead domain another name and another /vm, so that its successor can have them."""
    aside, home = f"{name}-{time.strftime('%Y%m%dT%H%MZ', time.gmtime())}", f"/local/domain/{info.domid}"
    vm = f"/vm/{random_uuid()}"
    host.store.transact(
        [Write(f"{home}/name", aside), Write(f"{vm}/name", aside), Write(f"{vm}/uuid", vm[4:]), Write(f"{home}/vm", vm)]
    )


def start(open_host: Callable[[], Host], domid: Domid, spec: GuestSpec, options: Options) -> None:
    """Watches the guest from a process of its own, which logs to /var/log/xen/xenvm-<name>.log."""
    try:
        if os.fork():
            return
    except OSError as error:
        raise HostError(f"{spec.name} runs as domain {domid}, but nothing watches it: {error.strerror}") from error
    code = 1
    try:
        os.setsid()
        _detach(os.path.join(LOG_FOLDER, f"xenvm-{spec.name}.log"))
        # Handles of its own: the hypervisor's buffers do not survive a fork.
        with open_host() as host:
            watch(host, domid, spec, options, _log)
        code = 0
    except (XenvmError, XenbusError, OSError) as error:
        for text in (f"{spec.name}: {error}", *getattr(error, "__notes__", ())):
            _log(text)
    except BaseException:  # nobody else would ever see it
        import traceback

        _log(traceback.format_exc())
    finally:
        os._exit(code)


def _detach(log: str) -> None:
    """Standard input from nowhere, output into the log, and nothing of the parent's left open: as long as this process
    held the other end of its connection, the store would keep the parent's watches."""
    os.makedirs(os.path.dirname(log), exist_ok=True)
    null, out = os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    for source, target in ((null, 0), (out, 1), (out, 2)):
        os.dup2(source, target)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))


def _log(text: str) -> None:
    os.write(2, f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n".encode("utf-8", "backslashreplace"))
