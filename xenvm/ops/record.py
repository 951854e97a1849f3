"""Records a domain's life as the store shows it, from before it exists until it is gone; or any part of the store."""

from __future__ import annotations

from xenbus.parse import parse_domid
from xenbus.path import is_path
from xenbus.recorder import Recorder, of_domain
from xenbus.recording import WATCHES, Header, Writer
from xenbus.request import List, Read, Unwatch, Watch
from xenvm.errors import DomainError, HostAtRest, WaitTimeout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TextIO

    from xenbus.client import Store

_HOMES = "/local/domain"
_TOKEN = "xenvm-record-wait"


def record(
    store: Store,
    targets: Sequence[str],
    file: TextIO,
    seconds: float | None = None,
    xen: str = "",
    tell: Callable[[str], object] = lambda _text: None,
    again: Callable[[], Store] | None = None,
) -> str:
    """Records a domain (its name or domid), or some paths, to `file`; says why it ended.

    A name or domid that is not there yet is waited for; the time counts from the beginning. On a simulated host, where
    nothing more will happen by itself, `again` waits for others and gives the store anew; without it that is a
    HostAtRest. WaitTimeout: the domain did not come.
    """
    paths = [target for target in targets if target.startswith("/")]
    until = None if seconds is None else store.clock() + seconds
    if len(paths) == len(targets):
        return _paths(store, paths, file, until, xen, again)
    if len(targets) != 1:
        raise DomainError("record takes one domain, or paths: not both, and not several domains")
    if targets[0] == "0":
        raise DomainError("domain 0 is this host: record takes paths of it, such as /local/domain/0")
    store, domid = _await_patiently(store, targets[0], until, tell, again)
    tell(f"recording domain {domid}")
    return _domain(store, targets[0], domid, file, until, xen, again)


def _paths(
    store: Store, paths: list[str], file: TextIO, until: float | None, xen: str, again: Callable[[], Store] | None
) -> str:
    for path in paths:
        if not is_path(path):
            raise DomainError(f"{path!r} is no path that the store can have")
    writer = Writer(file, _header(xen, " ".join(paths), None, paths))
    return _run(Recorder(store, writer), paths, until, lambda _burst: False, again)


def _domain(
    store: Store,
    target: str,
    domid: int,
    file: TextIO,
    until: float | None,
    xen: str,
    again: Callable[[], Store] | None,
) -> str:
    home, records = f"{_HOMES}/{domid}", f"/libxl/{domid}"
    vm = (store.read_or_none(f"{home}/vm") or b"").decode("ascii", "replace")
    tops = [home, f"{_HOMES}/0/backend", f"{_HOMES}/0/error/backend", records]
    if vm.startswith("/vm/") and is_path(vm):
        tops.append(vm)
    tops += _foreign_backends(store, domid)
    writer = Writer(file, _header(xen, target, domid, tops))

    def wanted(path: str) -> bool:
        return of_domain(path, domid) or path.startswith("/vm/")

    def gone(burst: list[str]) -> bool:
        if not any(path in (home, records) for path in burst):
            return False
        return recorder.store.read_or_none(home) is None and recorder.store.read_or_none(records) is None

    recorder = Recorder(store, writer, wanted)
    return _run(recorder, tops, until, gone, again)


def _foreign_backends(store: Store, domid: int) -> list[str]:
    """Directories of driver domains that the toolstack's records name; what the guest says is not followed."""
    kinds = store.list_or_empty(f"/libxl/{domid}/device")
    listings = store.batch([List(f"/libxl/{domid}/device/{kind}") for kind in kinds])
    places = [
        f"/libxl/{domid}/device/{kind}/{name}/backend"
        for kind, names in zip(kinds, listings, strict=True)
        if isinstance(names, tuple)
        for name in names
    ]
    found: dict[str, None] = {}
    for reply in store.batch([Read(path) for path in places]):
        parts = reply.decode("ascii", "replace").split("/") if isinstance(reply, bytes) else []
        if len(parts) > 4 and parts[:3] == ["", "local", "domain"] and parts[4] == "backend":
            owner = parse_domid(parts[3])
            if owner:
                found[f"{_HOMES}/{owner}/backend"] = None
    return list(found)


def _run(
    recorder: Recorder,
    tops: list[str],
    until: float | None,
    done: Callable[[list[str]], bool],
    again: Callable[[], Store] | None,
) -> str:
    try:
        recorder.follow(tops)
        while True:
            try:
                return recorder.run(until, done)
            except HostAtRest:
                if again is None:
                    raise
                recorder.resume(again())
    finally:
        recorder.close()


def _header(xen: str, target: str, domid: int | None, watched: list[str]) -> Header:
    import time

    return Header(WATCHES, round(time.time(), 6), xen, target, domid, tuple(watched))


def _await_patiently(
    store: Store,
    who: str,
    until: float | None,
    tell: Callable[[str], object],
    again: Callable[[], Store] | None,
) -> tuple[Store, int]:
    """The domain as `await_domain` finds it, and the store that has it."""
    while True:
        try:
            return store, await_domain(store, who, until, tell)
        except HostAtRest:
            if again is None:
                raise
            store, tell = again(), lambda _text: None  # it was told before


def await_domain(store: Store, who: str, until: float | None, tell: Callable[[str], object]) -> int:
    """The domid of a name, or a domid that has a home, as soon as there is one; raises WaitTimeout."""
    store.call(Watch(_HOMES, _TOKEN))
    try:
        domids = [int(name) for name in store.list_or_empty(_HOMES) if parse_domid(name)]
        found = _first(store, who, domids)
        if found is None:
            tell(f"waiting for a domain {who}")
        while found is None:
            event = store.next_event(until)
            if event is None:
                raise WaitTimeout(f"no domain {who} has come in time")
            parts = event[0].split("/")
            domid = parse_domid(parts[3]) if len(parts) in (4, 5) else None
            if domid and parts[4:] in ([], ["name"]):
                found = _first(store, who, [domid])
        return found
    finally:
        store.batch([Unwatch(_HOMES, _TOKEN)])
        while store.next_event(0) is not None:
            pass


def _first(store: Store, who: str, domids: list[int]) -> int | None:
    """Which of some domains is meant."""
    wanted = who.encode("utf-8", "surrogateescape")
    replies = store.batch([Read(f"{_HOMES}/{domid}/name") for domid in domids])
    for domid, reply in zip(domids, replies, strict=True):
        if isinstance(reply, bytes) and (reply == wanted or who == str(domid)):
            return domid
    return None
