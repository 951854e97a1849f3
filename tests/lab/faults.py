"""Run in a lab's dom0: creates a guest again and again, each time with one fault, against the real Xen and its store.

``python3 -m tests.lab.faults CONFIG`` prints one JSON object a line: the fault, the error, its notes.
"""

from __future__ import annotations

import errno
import itertools
import json
import socket
import sys
from collections import Counter
from typing import Any

from xenbus.errors import XenbusError
from xenvm.errors import HypercallError, XenvmError
from xenvm.guest.load import load_file
from xenvm.guest.spec import GuestSpec
from xenvm.host.open import Host
from xenvm.host.xen.hypervisor import XenHypervisor
from xenvm.ops.create import create
from xenvm.ops.destroy import destroy
from xenvm.ops.phases import Phases

ERRORS = (errno.ENOMEM, errno.EINVAL, errno.EBUSY, errno.EPERM, errno.ESRCH)
Step = tuple[str, int]


class Faulty:
    """The real hypervisor, one call of which is refused."""

    def __init__(self, hyper: XenHypervisor, step: Step | None = None, number: int = 0) -> None:
        self._hyper, self._step, self._number = hyper, step, number
        self._counts: Counter[str] = Counter()
        self.steps: list[Step] = []

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._hyper, name)
        return self._counting(name, value) if callable(value) else value

    def _counting(self, name: str, call: Any) -> Any:
        def counted(*arguments: Any, **named: Any) -> Any:
            self._counts[name] += 1
            self.steps.append((name, self._counts[name]))
            if self.steps[-1] == self._step:
                raise HypercallError(name, self._number, detail="a fault on demand")
            return call(*arguments, **named)

        return counted


class BadPhases(Phases):
    """Interrupts the creation, or cuts its connection to the store, at the end of one phase."""

    def __init__(self, host: Host, number: int, how: str) -> None:
        super().__init__()
        self._host, self._number, self._how = host, number, how

    def done(self, name: str) -> None:
        super().done(name)
        if len(self.laps) != self._number:
            return
        if self._how == "interrupt":
            raise KeyboardInterrupt
        connection = socket.socket(fileno=self._host.store.fileno())
        connection.shutdown(socket.SHUT_RDWR)
        connection.detach()


def attempt(hyper: Any, spec: GuestSpec, label: str, phase: int = 0, how: str = "") -> None:
    """One creation; what came of it."""
    host = Host()
    host._hyper = hyper
    error: BaseException | None = None
    try:
        domid = create(host, spec, phases=BadPhases(host, phase, how))
        host.reconnect()
        destroy(host, domid, spec.uuid or "")
    except (XenvmError, XenbusError, KeyboardInterrupt) as caught:
        error = caught
    host.store.close()
    notes = getattr(error, "__notes__", [])
    print(json.dumps({"fault": label, "kind": type(error).__name__, "error": str(error), "notes": notes}), flush=True)


def all_faults(hyper: XenHypervisor, spec: GuestSpec) -> None:
    """Every hypercall refused in turn, an interrupt and a lost store after each phase."""
    clean, host = Faulty(hyper), Host()
    host._hyper = clean  # type: ignore[assignment]
    phases = Phases()
    destroy(host, create(host, spec, phases=phases), spec.uuid or "")
    host.store.close()
    steps = list(itertools.takewhile(lambda step: step[0] != "pause", clean.steps))
    for number, step in enumerate(steps):
        refusal = ERRORS[number % len(ERRORS)]
        attempt(Faulty(hyper, step, refusal), spec, f"{step[0]} {step[1]} {errno.errorcode[refusal]}")
    names = [name for name, _ in phases.laps]
    for number, name in enumerate(names[:-1], 1):
        attempt(hyper, spec, f"interrupt after: {name}", number, "interrupt")
        attempt(hyper, spec, f"store lost after: {name}", number, "cut")


if __name__ == "__main__":
    all_faults(XenHypervisor.open(), load_file(sys.argv[1])[0])
