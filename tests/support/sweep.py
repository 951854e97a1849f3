"""Sweeps of faults: an operation of the toolstack is done once to number its calls, and then again for each of them,
which fails, or at which the process dies.

The locks and the connections of a process that dies are let go of as the kernel does it; what a call is, and what can
happen to one, is in tests.support.faults.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from errno import EPIPE
from typing import Any

from tests.support.faults import CLOSE, DEATHS, DIE_AFTER, Died, Fault, Faults, Step, every_fault, some_faults
from tests.support.simworld import SimWorld
from xenbus import wire
from xenbus.errors import XenbusError
from xenvm.errors import DeviceError, HostError, HypercallError, XenvmError
from xenvm.host.hyper import DomainInfo
from xenvm.host.plumbing.block import BlockAttachment
from xenvm.host.plumbing.locks import FileLock, HostLock
from xenvm.host.plumbing.userdata import UserData
from xenvm.host.sim.host import SimHost
from xenvm.host.sim.plumbing import Links
from xenvm.ops import gc
from xenvm.ops.records import CONSOLES, belongings

_NOT_COUNTED = ("version", "close", "replace", "path")
_NESTED = (BlockAttachment, FileLock, HostLock, Links, UserData)


class Front:
    """Stands before a hypervisor, a part of the plumbing, or what that gave."""

    def __init__(self, faults: Faults, behind: Any, name: str) -> None:
        self._faults, self._behind, self._name = faults, behind, name

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._behind, name)
        if name in _NOT_COUNTED or not callable(found) or (isinstance(found, type) and name != "UserData"):
            return found

        def call(*arguments: Any, **named: Any) -> Any:
            fault = self._faults.enter(f"{self._name}.{name}")
            if isinstance(fault, int):
                raise _error(self._name, name, arguments, fault)
            result = found(*arguments, **named)
            if fault == DIE_AFTER:
                _let_go(result)
                self._faults.die()
            return Front(self._faults, result, type(result).__name__) if isinstance(result, _NESTED) else result

        return call

    def __enter__(self) -> Front:
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            fault = self._faults.enter(f"{self._name}.leave")
        except Died:
            _let_go(self._behind)
            raise
        self._behind.__exit__(*exc)
        if fault == DIE_AFTER:
            self._faults.die()


def _let_go(held: Any) -> None:
    """The end of a process ends its locks, whose files stay, and what it has mapped of a guest."""
    fd = getattr(held, "_fd", -1)
    if fd >= 0:
        os.close(fd)
        held._fd = -1
    if hasattr(held, "view"):
        held.close()


def _error(part: str, name: str, arguments: tuple[Any, ...], number: int) -> Exception:
    if part == "hyper":
        domid = arguments[0] if arguments and isinstance(arguments[0], int) else None
        return HypercallError(name, number, domid=domid, detail="a fault on demand")
    if part in ("block", "bridge", "scripts", "Links", "_Attachment"):
        return DeviceError(part, f"{name}: a fault on demand")
    if part in ("locks", "domids", "processes"):
        return HostError(f"{part} {name}: a fault on demand")
    return OSError(number, os.strerror(number))


class Parts:
    """The plumbing, each part of it with a front."""

    def __init__(self, faults: Faults, behind: Any) -> None:
        self._faults, self._behind = faults, behind

    def __getattr__(self, name: str) -> Front:
        return Front(self._faults, getattr(self._behind, name), name)


class FaultyPort:
    """A connection to the store, whose requests are looked at one by one."""

    def __init__(self, port: Any, faults: Faults) -> None:
        self._port, self._faults, self._decoder, self._answers = port, faults, wire.Decoder(), b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    def receive(self, left: float | None) -> bytes | None:
        self._faults.check()
        answers, self._answers = self._answers, b""
        return answers or self._port.receive(left)

    def send(self, data: bytes | memoryview) -> int:
        self._faults.check()
        for packet in self._decoder.feed(bytes(data)):
            self._serve(packet)
        return len(data)

    def _serve(self, packet: wire.Packet) -> None:
        op, req_id, tx_id, payload = packet
        fault = self._faults.enter(f"store.{wire.op_name(op)}")
        if fault == CLOSE:
            self._port.close()
            raise OSError(EPIPE, "cut on demand")
        if not fault or fault == DIE_AFTER:
            self._port.send(wire.pack(op, req_id, tx_id, payload))
            if fault:
                self._faults.die()
            return
        if op == wire.TRANSACTION_END:
            self._drop(req_id, tx_id)
        self._answers += wire.pack(wire.ERROR, req_id, tx_id, str(fault).encode() + b"\0")

    def _drop(self, req_id: int, tx_id: int) -> None:
        """What refuses a transaction ends it, too; the answer to that is not for the client."""
        self._answers += self._port.receive(0) or b""
        self._port.send(wire.pack(wire.TRANSACTION_END, req_id, tx_id, b"F\0"))
        for op, other, tx, payload in wire.Decoder().feed(self._port.receive(0) or b""):
            if other != req_id:
                self._answers += wire.pack(op, other, tx, payload)


class FaultyHost(SimHost):
    """A simulated host as a process sees it that has `faults`."""

    def __init__(self, sim: SimWorld, faults: Faults) -> None:
        super().__init__(sim.world)
        self._faults = faults
        self.intercept(Front(faults, sim.world.hyper, "hyper"))  # type: ignore[arg-type]
        self.reconnect()

    @property
    def plumbing(self) -> Any:
        return Parts(self._faults, self.world.plumbing)

    def reconnect(self) -> None:
        self._faults.check()
        super().reconnect()
        link = self.world.store.link
        link._port = FaultyPort(link._port, self._faults)  # type: ignore[assignment]


class Operation:
    """What is swept: `prepare` makes what it needs, `act` is it, `undo` makes the world as it was before `prepare`
    where the operation is whole, or was not begun."""

    def __init__(
        self,
        name: str,
        prepare: Callable[[SimWorld], object],
        act: Callable[[SimWorld, SimHost], object],
        undo: Callable[[SimWorld], object],
    ) -> None:
        self.name, self.prepare, self.act, self.undo = name, prepare, act, undo


class Sweep:
    """Faults of some operations on one world, a share of them or every one; `outcomes` counts what came of them."""

    def __init__(self, sim: SimWorld, full: bool = False) -> None:
        self.sim, self.full = sim, full
        self.outcomes: Counter[str] = Counter()
        self.leaks: list[str] = []

    def run(self, operation: Operation, every: int = 1) -> None:
        """Every call of an operation, or each of so many, with each of its faults, up to the first leak: what comes
        after that does not begin with a clean world."""
        before = self._everything()
        operation.prepare(self.sim)
        clean = Faults()
        self._attempt(operation, clean)
        self.sim.host.reconnect()
        operation.undo(self.sim)
        assert self._everything() == before, f"{operation.name} itself leaves something"
        for number, step in list(enumerate(clean.steps))[::every]:
            for fault in every_fault(step) if self.full else some_faults(step, number):
                self._one(operation, step, fault, before)
                if self.leaks:
                    return

    def _one(self, operation: Operation, step: Step, fault: Fault, before: dict[str, object]) -> None:
        operation.prepare(self.sim)
        faults = Faults(step, fault)
        error = self._attempt(operation, faults)
        faults.dead = True
        self.sim.host.reconnect()
        outcome = self._outcome(operation, before, fault in DEATHS)
        self.outcomes[f"{operation.name}: {outcome}"] += faults.happened
        if outcome == "leak":
            self.leaks.append(f"{operation.name}, {step[0]} {step[1]}, {fault}: {error!r}: {self._difference(before)}")

    def _attempt(self, operation: Operation, faults: Faults) -> BaseException | None:
        try:
            operation.act(self.sim, FaultyHost(self.sim, faults))
            return None
        except (XenvmError, XenbusError, OSError, Died) as error:
            return error

    def _outcome(self, operation: Operation, before: dict[str, object], died: bool) -> str:
        if self._everything() == before:
            return "nothing left"
        if found := gc.find(self.sim.host):
            gc.remove(self.sim.host, gc.choose(found, [], True))
            if self._everything() == before:
                return "removed by gc"
            if gc.find(self.sim.host):
                return "leak"
        # An error is told to somebody who can try again; a process that died must not leave half a thing.
        whole = not died or all(map(self._is_whole, self.sim.world.hyper.domains()))
        operation.undo(self.sim)
        return "whole" if whole and self._everything() == before else "leak"

    def _is_whole(self, info: DomainInfo) -> bool:
        """Whether a guest can run, is known by its name, and all of its devices work, or wait for it to start."""
        read, domid = self.sim.read, info.domid
        if not domid:
            return True
        devices = [record for record in belongings(self.sim.host, domid).devices if record.kind not in CONSOLES]
        state = "4" if self.sim.world.hyper.all[domid].started else "2"
        config = UserData(domid, info.uuid, os.path.join(self.sim.world.files(), "userdata")).read_config()
        named = read(f"/local/domain/{domid}/name") == "g" and read(f"/libxl/{domid}/type") == "pvh"
        return named and bool(info.nr_online_vcpus and config) and {device.state for device in devices} == {state}

    def _everything(self) -> dict[str, object]:
        """All that a guest or a command could leave, whatever the order."""
        self.sim.world.settle()
        traces = self.sim.traces()
        folder = os.path.join(self.sim.world.files(), "userdata")
        traces["nodes"] = sorted(traces["nodes"])  # type: ignore[call-overload]
        traces["files"] = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        return traces

    def _difference(self, before: dict[str, object]) -> str:
        after = self._everything()
        return "; ".join(f"{key}: {before[key]} -> {after[key]}" for key in before if before[key] != after[key])

    def lines(self) -> Iterator[str]:
        """What came of it, for people."""
        yield from (f"{count:5} {outcome}" for outcome, count in sorted(self.outcomes.items()))
        yield f"fault sweep: {sum(self.outcomes.values())} faults, {len(self.leaks)} leaks"
