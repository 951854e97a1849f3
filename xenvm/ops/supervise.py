"""One supervisor for all guests of the host that xenvm created, in the place of a process for each.

It keeps nothing in its head that matters: each look goes by what Xen says, by the guests' own records and by the notes
of restarts. So it may end at any moment, and the next one goes on. What it does it does in a process of its own for
each guest, under that guest's `Duty`: many at once, and none twice.
"""

from __future__ import annotations

import os

from xenvm.errors import DomainError, HostError
from xenvm.ops import background, restarts
from xenvm.ops import memo as memos
from xenvm.ops.act import act, is_down, resume

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenvm.host.hyper import DomainInfo
    from xenvm.host.open import Host
    from xenvm.ops.background import Say
    from xenvm.types import Domid

    Death = tuple[Domid, str]
    """A domain and its uuid: each dies once."""

LOOK_SECONDS = 10.0
"""How often it looks without being told: that a guest's own monitor has died is told by no event."""


class Supervisor:
    """The supervisor of a host; one at a time."""

    def __init__(self, host: Host, open_host: Callable[[], Host], say: Say) -> None:
        self._host, self._open_host, self._say = host, open_host, say
        self._workers: dict[int, Death] = {}
        """By pid."""
        self._done: set[Death] = set()
        """What was seen to: nothing is tried again that has failed."""

    def run(self, *, every: float = LOOK_SECONDS, pulse: Callable[[], object] = lambda: None) -> None:
        """Looks whenever a domain goes down, and `every` so many seconds; for ever, until an exception ends it.
        `pulse` is called after each look. HostError if there is a supervisor already."""
        watching = self._host.plumbing.watching
        try:
            duty = watching.Duty(watching.SUPERVISOR)
        except BlockingIOError as error:
            raise HostError("another supervisor runs on this host") from error

        def look(_: object) -> bool:
            self.look()
            pulse()
            return False

        self._say("watching the guests that xenvm creates, in the place of their own monitors")
        with duty, self._host.store.follow(["@releaseDomain"]) as follower:
            follower.wait(look, None, "the end of the host", every=every)

    def look(self) -> None:
        """Sees to all guests that are down, and to restarts that somebody has begun and not ended."""
        self._reap()
        busy = set(self._workers.values())
        for restart in restarts.under_way(self._host):
            death = restart.old.domid, restart.old.uuid
            if death not in busy and self._is_free(restart.old.domid):
                self._work(death, _resume)
                busy.add(death)
        there = set()
        for info in self._host.hyper.domains():
            death = info.domid, info.uuid
            there.add(death)
            if is_down(info) and death not in busy | self._done and self._is_ours(info):
                self._work(death, _see_to)
        self._done &= there

    def _is_free(self, domid: Domid) -> bool:
        return not self._host.plumbing.watching.on_duty(domid)

    def _is_ours(self, info: DomainInfo) -> bool:
        """Whether xenvm created it, to be watched by whoever can, and no monitor of its own does."""
        try:
            memo = memos.read(self._host, info.domid, info.uuid)
        except DomainError as error:
            self._say(str(error))
            self._done.add((info.domid, info.uuid))
            return False
        return memo is not None and memo.watch == "background" and self._is_free(info.domid)

    def _work(self, death: Death, work: Callable[[Host, Death, Say], object]) -> None:
        def in_child(say: Say) -> None:
            with self._open_host() as host:
                try:
                    duty = host.plumbing.watching.Duty(death[0])
                except BlockingIOError:
                    return  # Somebody was faster.
                with duty:
                    work(host, death, say)

        try:
            self._workers[background.fork(in_child, f"domain {death[0]}")] = death
        except OSError as error:
            self._say(f"domain {death[0]} went down, and no process could be started for it: {error.strerror}")

    def _reap(self) -> None:
        for pid in list(self._workers):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                death = self._workers.pop(pid)
                # A worker that was killed has not failed; and where another was faster, that one might still fail.
                if os.WIFEXITED(status) and self._is_free(death[0]):
                    self._done.add(death)


def _see_to(host: Host, death: Death, say: Say) -> None:
    """Acts, if it is still to be done; under the guest's `Duty`."""
    domid, uuid = death
    info = host.hyper.domain(domid)
    memo = None if info is None else memos.read(host, domid, info.uuid)
    if info is None or info.uuid != uuid or not is_down(info):
        return
    if memo is not None and memo.watch == "background":
        act(host, info, memo, say)


def _resume(host: Host, death: Death, say: Say) -> None:
    """Goes on with a restart, if it is still to be done; under the guest's `Duty`."""
    domid, uuid = death
    restart = next((found for found in restarts.under_way(host) if found.old.uuid == uuid), None)
    if restart is None or restart.old.domid != domid:
        return
    if restart.memo.watch != "background":
        restarts.end(host, uuid)  # Who was to see to it is gone.
        return
    say(f"{restart.memo.spec.name}: going on with a restart that was cut short")
    resume(host, restart, say)
