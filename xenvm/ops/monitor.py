"""Watches one guest, in the foreground or from a process of its own, as xl has it: what `create` starts on a host
without a supervisor.
"""

from __future__ import annotations

import os

from xenvm.errors import HostError
from xenvm.ops.actions import action_for as action_for
from xenvm.ops.actions import check_actions as check_actions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenvm.host.hyper import DomainInfo
    from xenvm.host.open import Host
    from xenvm.ops.background import Say
    from xenvm.types import Domid


def watch(host: Host, domid: Domid, say: Say) -> None:
    """Waits for the guest to go down and acts on it, again and again while it is restarted, unless somebody else has
    it. The guest's record says what it wants."""
    from xenvm.ops import memo as memos
    from xenvm.ops.act import act, is_down

    while True:
        try:
            duty = host.plumbing.watching.Duty(domid)
        except BlockingIOError:
            say(f"domain {domid} is watched by another process")
            return
        with duty:
            info = _wait_down(host, domid, is_down)
            memo = None if info is None else memos.read(host, domid, info.uuid)
            if info is None or memo is None or not is_down(info):
                say(f"domain {domid} is gone")
                return
            successor = act(host, info, memo, say)
        if successor is None:
            return
        domid = successor


def _wait_down(host: Host, domid: Domid, is_down: Callable[[DomainInfo], bool]) -> DomainInfo | None:
    def down(_: object) -> bool:
        info = host.hyper.domain(domid)
        return info is None or info.dying or is_down(info)

    with host.store.follow(["@releaseDomain"]) as follower:
        follower.wait(down, None, f"domain {domid} to go down")
    return host.hyper.domain(domid)


def supervised(host: Host) -> bool:
    """Whether a supervisor runs, which watches all guests that may be watched in the background."""
    return host.plumbing.watching.on_duty(host.plumbing.watching.SUPERVISOR)


def start(open_host: Callable[[], Host], domid: Domid, name: str) -> None:
    """Watches the guest from a process of its own, which logs to /var/log/xen/xenvm-<name>.log."""
    from xenvm.ops import background

    def work(say: Say) -> None:
        with open_host() as host:
            watch(host, domid, say)

    try:
        background.fork(work, name, os.path.join(background.LOG_FOLDER, f"xenvm-{name}.log"))
    except OSError as error:
        raise HostError(f"{name} runs as domain {domid}, but nothing watches it: {error.strerror}") from error
