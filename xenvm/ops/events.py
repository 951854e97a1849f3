"""What happens to domains, as the store tells of it: @introduceDomain and @releaseDomain."""

from __future__ import annotations

from xenbus.value import Value
from xenvm.host.hyper import SHUTDOWN_REASONS
from xenvm.ops.names import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from xenvm.host.hyper import DomainInfo
    from xenvm.host.open import Host


State = dict[int, tuple[str, str]]
"""Name and state, by domid."""
_SPECIAL = ("@introduceDomain", "@releaseDomain")


class DomainEvent(Value):
    """A domain and what became of it: started, gone, or ``shutdown: REASON``."""

    domid: int
    name: str
    what: str


def follow(host: Host, known: State | None = None) -> Iterator[DomainEvent]:
    """Events from now on, for ever. One that is over before it could be looked at is not told of.

    `known` is kept up to date: who opens the host anew takes it along, and has the events from there on. Where it is
    empty, they are from now on. HostAtRest on a simulated host.
    """
    known = {} if known is None else known
    if not known:
        known.update(_look(host))
    return _follow(host, known)


def _follow(host: Host, known: State) -> Iterator[DomainEvent]:
    def changed(_: object) -> State | None:
        now = _look(host)
        return now if now != known else None

    with host.store.follow(list(_SPECIAL)) as follower:
        while True:
            now = follower.wait(changed, None, "something to happen")
            found = list(between(known, now))
            known.clear()
            known.update(now)
            yield from found


def between(before: State, now: State) -> Iterator[DomainEvent]:
    """The events that lead from one look at the host to the next."""
    for domid, (name, _) in before.items():
        if domid not in now:
            yield DomainEvent(domid, name, "gone")
    for domid, (name, state) in now.items():
        if domid not in before:
            yield DomainEvent(domid, name, "started")
        if state and before.get(domid, ("", ""))[1] != state:
            yield DomainEvent(domid, name, state)


def _look(host: Host) -> State:
    domains = host.hyper.domains()
    known = names(host, [info.domid for info in domains])
    return {info.domid: (known[info.domid] or "(null)", _state(info)) for info in domains}


def _state(info: DomainInfo) -> str:
    code = info.shutdown_code
    if not info.shutdown or code is None:
        return ""
    return f"shutdown: {SHUTDOWN_REASONS[code] if code < len(SHUTDOWN_REASONS) else code}"
