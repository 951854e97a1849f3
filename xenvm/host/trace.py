"""Stands before any hypervisor: writes down each call, and makes chosen ones fail. For plans and sweeps of faults."""

from __future__ import annotations

from _thread import allocate_lock, get_ident

from xenbus.value import Value
from xenvm.errors import HypercallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from xenvm.host.hyper import Hypervisor

_NO_CALLS = ("version", "close")


class Call(Value):
    """One call: the operation, which of its calls it is (from 1 on), and the arguments."""

    operation: str
    number: int
    arguments: tuple[object, ...]
    beside: bool = False
    """Whether another thread made it than the one that the tracer is of: its place among the others is by chance."""

    @property
    def step(self) -> tuple[str, int]:
        """What names it whatever other threads do meanwhile."""
        return self.operation, self.number

    def __str__(self) -> str:
        return " ".join([self.operation, *filter(None, map(_text, self.arguments))])


class Tracer:
    """Records the calls of a hypervisor in `calls`; `hyper` is what to give to the toolstack."""

    def __init__(self, hyper: Hypervisor) -> None:
        self.calls: list[Call] = []
        self.hyper: Hypervisor = _Front(self, hyper)  # it has whatever `hyper` has
        self._counts: dict[str, int] = {}
        self._faults: dict[tuple[str, int] | int, BaseException | int] = {}
        self._lock, self._thread = allocate_lock(), get_ident()

    def fail(self, which: tuple[str, int] | int, fault: BaseException | int) -> None:
        """Makes a call fail instead of being done: the k-th of all (from 1 on), or the n-th of an operation.

        `fault` is one of Xen's error numbers, or whatever exception. Only a call by its operation is the same one in
        each run: images are loaded by a thread.
        """
        self._faults[which] = fault

    def fail_after(self, which: tuple[str, int] | int, fault: BaseException | int) -> None:
        """The same, but the call is done before it fails, as for a process that dies just then."""
        self._faults[which] = _After(fault)

    def lines(self) -> list[str]:
        """The calls as text."""
        return [str(call) for call in self.calls]

    def call(self, operation: str, work: Callable[..., Any], arguments: tuple[object, ...]) -> Any:
        """Does one call, or fails it."""
        with self._lock:
            number = self._counts[operation] = self._counts.get(operation, 0) + 1
            call = Call(operation, number, arguments, get_ident() != self._thread)
            self.calls.append(call)
            fault = self._faults.pop(call.step, None) or self._faults.pop(len(self.calls), None)
        if isinstance(fault, _After):
            work(*arguments)
            fault = fault.fault
        if fault is not None:
            raise _error(call, fault)
        return work(*arguments)


class _After(Exception):
    """A fault that comes when the work is done."""

    def __init__(self, fault: BaseException | int) -> None:
        self.fault = fault


class _Front:
    """Has the operations of a hypervisor."""

    def __init__(self, tracer: Tracer, hyper: Hypervisor) -> None:
        self._tracer, self._behind = tracer, hyper

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._behind, name)
        if name in _NO_CALLS or not callable(found):
            return found

        def call(*arguments: object, **named: object) -> Any:
            return self._tracer.call(name, lambda *given: found(*given, **named), arguments)

        return call


def _error(call: Call, fault: BaseException | int) -> BaseException:
    if not isinstance(fault, int):
        return fault
    domid = call.arguments[0] if call.arguments and isinstance(call.arguments[0], int) else None
    return HypercallError(call.operation, fault, domid=domid, detail="a fault on demand")


def _text(argument: object) -> str:
    """An argument for people and for comparison: nothing of functions."""
    if isinstance(argument, Value):
        fields = argument.as_dict().items()
        return " ".join(f"{name}={value}" for name, value in fields if value not in (None, ""))
    if isinstance(argument, dict):
        return " ".join(f"{key}={_text(value)}" for key, value in argument.items())
    if isinstance(argument, (frozenset, tuple)):
        return ",".join(map(str, sorted(argument) if isinstance(argument, frozenset) else argument))
    if callable(argument):
        return ""
    return f"{argument:#x}" if isinstance(argument, int) and argument > 0xFFF else str(argument)
