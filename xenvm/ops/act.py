"""What follows the death of a guest: on_poweroff, on_reboot, on_crash, on_watchdog and on_soft_reset, carried out.

Whoever calls holds the guest's `Duty`, so nobody else does the same.
"""

from __future__ import annotations

import time

from xenbus.errors import XenbusError
from xenbus.parse import parse_decimal
from xenbus.request import Discard, Read, Write
from xenvm.errors import XenvmError
from xenvm.guest.blueprint import random_uuid
from xenvm.host.hyper import SHUTDOWN_REASONS
from xenvm.ops import memo as memos
from xenvm.ops import restarts
from xenvm.ops.actions import action_for
from xenvm.ops.create import Options, create
from xenvm.ops.destroy import destroy
from xenvm.ops.names import names
from xenvm.ops.records import known
from xenvm.ops.restarts import Restart
from xenvm.ops.signals import Shield

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenvm.host.hyper import DomainInfo
    from xenvm.host.open import Host
    from xenvm.ops.memo import Memo
    from xenvm.types import Domid

    Say = Callable[[str], None]

SUSPEND = SHUTDOWN_REASONS.index("suspend")
_DUMP = "coredump-"


def is_down(info: DomainInfo) -> bool:
    """Whether somebody is to act: the guest has shut down, and neither sleeps nor is being destroyed."""
    return info.shutdown and not info.dying and info.shutdown_code not in (None, SUSPEND)


def act(host: Host, info: DomainInfo, memo: Memo, say: Say) -> Domid | None:
    """Does what follows the death of a guest that `is_down`; its new domid if it is made again."""
    code = info.shutdown_code or 0
    action = action_for(memo.spec, code)
    say(f"domain {info.domid} has shut down, reason {code}: {action}")
    if action == "preserve":
        # It stays as it is: nobody is to look at it again.
        memos.write(host, info.domid, info.uuid, memo.replace(watch="nobody"))
        return None
    name = memo.spec.name
    if action.startswith(_DUMP):
        _dump(host, info, name, say)
    _keep_console(host, info, name)
    if action.endswith("restart"):
        now = memo.replace(spec=memos.current(host, info, memo), updated=False)
        restart = Restart(info, now, aside=action == "rename-restart")
        with Shield():
            restarts.begin(host, restart)
            return resume(host, restart, say)
    if action == "soft-reset":
        say("Xen on ARM cannot reset a domain softly, so it is destroyed, as libxl does where that fails")
    with Shield():
        _destroy(host, info, say)
    return None


def resume(host: Host, restart: Restart, say: Say) -> Domid | None:
    """Does what is left of a restart, however far it has come; the guest's new domid, None if it was cancelled."""
    old, memo = restart.old, restart.memo
    try:
        found = host.hyper.domain(old.domid)
        if found is not None and found.uuid == old.uuid:
            if restart.aside:
                _set_aside(host, old, memo.spec.name)
            else:
                _destroy(host, old, say)
        successor = _successor(host, restart, say)
        if successor is None and not restarts.is_cancelled(host, old.uuid):
            options = Options(hotplug_scripts=memo.hotplug_scripts, watch=memo.watch)
            successor = create(host, memo.spec, options)
        if restarts.is_cancelled(host, old.uuid):
            _take_back(host, memo.spec.name, successor, say)
            return None
    finally:
        restarts.end(host, old.uuid)
    say(f"{memo.spec.name} is domain {successor} now")
    return successor


def _take_back(host: Host, name: str, successor: Domid | None, say: Say) -> None:
    """Somebody has destroyed the guest while it was made again."""
    say(f"{name} was destroyed meanwhile: it is not made again")
    info = None if successor is None else host.hyper.domain(successor)
    if info is not None:
        _destroy(host, info, say)


def _successor(host: Host, restart: Restart, say: Say) -> Domid | None:
    """The domain that an earlier attempt has made, if it runs; what is left of one that does not is removed."""
    for info in host.hyper.domains():
        if info.uuid == restart.old.uuid and info.domid != restart.old.domid and not (info.shutdown or info.dying):
            if memos.read(host, info.domid, info.uuid) is not None and not (info.paused and info.cpu_time == 0):
                return info.domid
            _destroy(host, info, say)
    return None


def _destroy(host: Host, info: DomainInfo, say: Say) -> None:
    for trouble in destroy(host, info.domid, info.uuid):
        say(trouble)


def _dump(host: Host, info: DomainInfo, name: str, say: Say) -> None:
    """A core that cannot be written keeps nobody from the rest, as with xl."""
    from xenvm.ops import dump

    try:
        path = dump.usual_path(name, info.domid)
        dump.dump(host, info, path)
        say(f"the core is in {path}")
    except (XenvmError, OSError) as error:
        say(f"no core could be written: {error}")


def _keep_console(host: Host, info: DomainInfo, name: str) -> None:
    """Logs what the guest has said last, where the console daemon does not."""
    home = f"/local/domain/{info.domid}"
    try:
        tty, start = map(known, host.store.batch([Read(f"{home}/console/tty"), Read(f"/vm/{info.uuid}/start_time")]))
        began = parse_decimal(start.split(b".")[0]) if isinstance(start, bytes) else None
        terminal = tty.decode("utf-8", "replace") if isinstance(tty, bytes) else ""
        host.plumbing.consolelog.capture(info.domid, name, terminal, float(began or 0))
    except (XenvmError, XenbusError, OSError):
        pass  # It is about a guest's last words: they keep nobody from acting.


def _name_aside(host: Host, name: str) -> str:
    """A name with the time; with a number too, if the guest went down before in this minute."""
    aside = f"{name}-{time.strftime('%Y%m%dT%H%MZ', time.gmtime())}"
    taken = set(names(host, [info.domid for info in host.hyper.domains()]).values())
    number, free = 1, aside
    while free in taken:
        number += 1
        free = f"{aside}-{number}"
    return free


def _set_aside(host: Host, info: DomainInfo, name: str) -> None:
    """Gives a dead domain another name and another /vm, so that its successor can have them; once."""
    home = f"/local/domain/{info.domid}"
    if host.store.read_or_none(f"{home}/name") != name.encode("utf-8", "surrogateescape"):
        return
    aside, vm = _name_aside(host, name), f"/vm/{random_uuid()}"
    # The successor makes its own /vm anew; if there will be none, nobody else would remove what was the old one's.
    host.store.transact(
        [
            Discard(f"/vm/{info.uuid}"),
            Write(f"{home}/name", aside),
            Write(f"{vm}/name", aside),
            Write(f"{vm}/uuid", vm[4:]),
            Write(f"{home}/vm", vm),
        ]
    )
    kept = memos.read(host, info.domid, info.uuid)
    if kept is not None:
        memos.write(host, info.domid, info.uuid, kept.replace(watch="nobody"))
