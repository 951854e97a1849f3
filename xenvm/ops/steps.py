"""The steps of a creation that was traced, as values that can be printed: hypercalls, the store, domain 0."""

from __future__ import annotations

from xenbus import request as ask
from xenbus.value import Value
from xenvm.host import hyper
from xenvm.ops.create import CREATING
from xenvm.ops.scratch import LOOP, LOOP_NUMBER, PROCESS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from xenbus.request import Request
    from xenvm.host.trace import Call
    from xenvm.ops.scratch import Scratch

HYPERCALL, STORE, HOST = "hypercall", "store", "host"
"""The kinds of steps."""

_AT_RUN_TIME = {
    LOOP: "the path of a free loop device",
    LOOP_NUMBER: "the number of that loop device, major:minor",
    PROCESS: "the number of the daemon's process",
}
_PARAMS = {
    getattr(hyper, name): name.removeprefix("PARAM_").lower() for name in dir(hyper) if name.startswith("PARAM_")
}


class Step(Value):
    """One thing that a creation does, with its arguments as JSON has them."""

    kind: str
    operation: str
    arguments: Mapping[str, object]
    transaction: int = 0
    """Of the store: 1 for the first, 0 for none."""
    beside: bool = False
    """Whether a thread of its own does it, while others are done: it is over before the next step."""
    at_run_time: str = ""
    """What a value is that is only known then."""


def in_order(calls: Iterable[Call]) -> list[Call]:
    """The calls; those of the thread that loads images come at the latest place that they can have."""
    main, beside = [call for call in calls if not call.beside], [call for call in calls if call.beside]
    if not beside:
        return main
    cleaned = ("cache_flush", beside[0].arguments[1])
    at = next(index for index, call in enumerate(main) if (call.operation, *call.arguments[1:2]) == cleaned)
    return [*main[:at], *beside, *main[at:]]


def steps(scratch: Scratch, calls: Sequence[Call]) -> Iterator[Step]:
    """All steps of what was done on a scratch host, in order; `calls` as `in_order` gives them."""
    noted, made = _Noted(scratch), 0
    for call in calls:
        yield from noted.until(made)
        made += not call.beside
        yield hypercall(call)
    yield from noted.until(made)


class _Noted:
    """What was done besides hypercalls."""

    def __init__(self, scratch: Scratch) -> None:
        self._left = list(scratch.noted)
        records = scratch.world.xenstored.engine.records()
        self._perms = {path.decode(): perms.strip(b"\0").replace(b"\0", b",").decode() for path, _, perms in records}
        self._transactions: dict[int, int] = {0: 0}

    def until(self, after: int) -> Iterator[Step]:
        """Up to so many hypercalls."""
        while self._left and self._left[0].after <= after:
            noted = self._left.pop(0)
            if isinstance(noted.what, tuple):
                yield Step(HOST, *noted.what)
            elif make := _CHANGES.get(type(noted.what)):
                transaction = self._transactions.setdefault(noted.transaction, len(self._transactions))
                yield make(self, noted.what, transaction)

    def write(self, request: ask.Write, transaction: int) -> Step:
        """A value, and the permissions that the node ends up with."""
        value = request.value.decode("utf-8", "surrogateescape")
        at_run_time = _AT_RUN_TIME.get(value, "")
        if request.path.startswith("/vm/") and request.path.endswith("/start_time"):
            at_run_time = "seconds since 1970, with two decimals"
        elif request.path.endswith(f"/{CREATING}"):
            at_run_time = "the process that creates the guest"
        # A node that is gone by the end was domain 0's own.
        perms, inherited = self._perms.get(request.path, "n0"), not self._take_perms(request.path)
        shown = None if at_run_time else value
        arguments = {"path": request.path, "value": shown, "permissions": perms, "inherited": inherited}
        return Step(STORE, "write", arguments, transaction, at_run_time=at_run_time)

    def _take_perms(self, path: str) -> bool:
        """Whether the next request sets the permissions of this node; it is passed over."""
        following = self._left[0].what if self._left else None
        if not isinstance(following, ask.SetPerms) or following.path != path:
            return False
        self._left.pop(0)
        return True

    def perms(self, request: ask.SetPerms, transaction: int) -> Step:
        """Permissions alone."""
        perms = ",".join(map(str, request.perms))
        return Step(STORE, "set permissions", {"path": request.path, "permissions": perms}, transaction)

    def remove(self, request: Request, transaction: int) -> Step:
        """A node, if it is there."""
        return Step(STORE, "remove", {"path": request.path}, transaction)

    def introduce(self, request: ask.Introduce, transaction: int) -> Step:
        """A domain to the server."""
        names = ("domid", "gfn", "port")
        numbers = (int(word) for word in request.path.split(" "))
        return Step(STORE, "introduce", dict(zip(names, numbers, strict=True)), transaction)


_CHANGES: dict[type[Request], Callable[..., Step]] = {
    ask.Write: _Noted.write,
    ask.SetPerms: _Noted.perms,
    ask.Discard: _Noted.remove,
    ask.Remove: _Noted.remove,
    ask.Introduce: _Noted.introduce,
}
"""What changes the store; all else only looks."""


def hypercall(call: Call) -> Step:
    """One call, with names for its arguments; nothing of functions."""
    named = zip(_names(call.operation), call.arguments, strict=False)
    arguments = {name: _plain(value) for name, value in named if not callable(value)}
    if call.operation == "set_params":
        arguments["params"] = {_PARAMS[index]: value for index, value in call.arguments[1].items()}  # type: ignore[attr-defined]
    return Step(HYPERCALL, call.operation, arguments, beside=call.beside)


def _names(operation: str) -> tuple[str, ...]:
    """How an operation's arguments are called."""
    from xenvm.host.sim.hypervisor import SimHypervisor

    code = getattr(SimHypervisor, operation).__code__
    names: tuple[str, ...] = code.co_varnames[1 : code.co_argcount]
    return names


def _plain(value: object) -> object:
    """As JSON has it."""
    if isinstance(value, Value):
        return {name: _plain(field) for name, field in value.as_dict().items()}
    if isinstance(value, dict):
        return {str(key): _plain(field) for key, field in value.items()}
    if isinstance(value, (frozenset, tuple)):
        return [_plain(item) for item in (sorted(value) if isinstance(value, frozenset) else value)]
    return value
