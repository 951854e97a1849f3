"""What is left of guests, devices and commands that ended halfway: finding it, and removing what somebody chose.

Whatever can belong to a living domain is no finding. A finding is only what two looks show alike, the second one under
xl's lock over building, so that no creation is under way; and all that is read was written by domain 0.
"""

from __future__ import annotations

from xenbus.errors import StoreTimeout, XenbusError
from xenvm.errors import HostError, XenvmError
from xenvm.ops.gc_remove import remove_one
from xenvm.ops.gc_rules import findings
from xenvm.ops.gc_scene import scene

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from xenvm.host.open import Host
    from xenvm.host.plumbing.locks import HostLock
    from xenvm.ops.gc_rules import Finding

SETTLE_SECONDS = 2.0
"""Between two looks at what another toolstack, which takes no lock, may be about to finish."""
LOCK_SECONDS = 30.0
"""How long a creation that is under way is waited for."""
_LOOK_SECONDS = 0.1
_MOST_LOOKS = 3
ORDER = ("zombie", "domain", "device", "backend", "nodes", "loop", "vif", "userdata", "lock")
"""The kinds of findings, in the order in which they are removed."""
_MOVING = ("zombie", "domain", "device")
"""Kinds that somebody without a lock could be at work on."""


def find(host: Host) -> list[Finding]:
    """All that is left over, in the order of removal, each with who holds it. Changes nothing."""
    from xenvm.ops.gc_holders import with_holders

    found = findings(scene(host))
    if found:
        with _locked(host):
            found = _settled(host, found)
    return with_holders(host, sorted(found, key=_order))


def _settled(host: Host, first: list[Finding]) -> list[Finding]:
    """What two looks show alike; a few more looks where something went on between them."""
    for _ in range(_MOST_LOOKS):
        if any(finding.kind in _MOVING for finding in first):
            _let_pass(host, SETTLE_SECONDS)
        second = findings(scene(host))
        found = _alike(first, second)
        if len(found) == len(first) == len(second):
            break
        first = second
    return found


def remove(host: Host, chosen: Iterable[Finding]) -> list[str]:
    """Removes those findings that are still there; returns a sentence for each that would not go."""
    troubles: list[str] = []
    with _locked(host):
        still = _alike(chosen, findings(scene(host)))
        for finding in sorted(still, key=_order):
            try:
                troubles += remove_one(host, finding)
            except (XenvmError, XenbusError, OSError) as error:
                troubles.append(f"{finding.id} was not removed: {error}")
    return troubles


def choose(found: Sequence[Finding], words: Iterable[str], every: bool) -> list[Finding]:
    """The findings that are meant by kinds and ids, or all that are certain; HostError for a word that means none."""
    chosen = [finding for finding in found if every and finding.sure]
    for word in words:
        meant = [finding for finding in found if word in (finding.kind, finding.id)]
        if not meant and word not in ORDER:
            raise HostError(f"{word} is nothing that was found, and no kind: there are {', '.join(ORDER)}")
        chosen += [finding for finding in meant if finding.id == word or finding.sure]
    return [finding for finding in found if finding in chosen]


def _order(finding: Finding) -> int:
    return ORDER.index(finding.kind)


def _alike(first: Iterable[Finding], second: Iterable[Finding]) -> list[Finding]:
    """What both looks show, with all that it was found by."""
    known = {(finding.id, finding.evidence) for finding in first}
    return [finding for finding in second if (finding.id, finding.evidence) in known]


def _locked(host: Host) -> HostLock:
    """xl's lock; HostError, which names who has it, if that does not let go in time."""
    deadline = host.store.clock() + LOCK_SECONDS
    while True:
        try:
            return host.plumbing.locks.host_lock(wait=False)
        except OSError:
            if host.store.clock() >= deadline:
                raise _busy(host) from None
        _let_pass(host, _LOOK_SECONDS)


def _busy(host: Host) -> HostError:
    from xenvm.host.plumbing.locks import XL_LOCK

    holders = ", ".join(host.plumbing.processes.using([XL_LOCK])[XL_LOCK]) or "somebody"
    return HostError(f"a guest is being created: {holders} has had the lock {XL_LOCK} for {LOCK_SECONDS:g} s")


def _let_pass(host: Host, seconds: float) -> None:
    """Lets time pass, as the host has it."""
    with host.store.follow([]) as nothing:
        try:
            nothing.wait(lambda _: None, host.store.clock() + seconds, "time to pass")
        except StoreTimeout:
            pass
