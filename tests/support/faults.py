"""What can happen to a call of the toolstack, and the counting of calls, at one of which it does.

A call is a hypercall, a request to the store, or something asked of the plumbing. A process that has died does nothing
more, whatever its handlers try: each further call raises `Died` as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from errno import EACCES, EBUSY, EINVAL, EIO, ENOMEM, ENOSPC, EPERM, ESRCH
from threading import Lock

Step = tuple[str, int]
"""A call: its name, and which of that name it is, from 1 on: threads do not change that."""
Fault = int | str
"""An errno; what the store answers; CLOSE, the end of the connection to it; or one of DEATHS."""
DIE, DIE_AFTER, CLOSE = "dies before", "dies after", "close"
DEATHS = (DIE, DIE_AFTER)
HYPERCALL_ERRORS = (ENOMEM, EINVAL, EBUSY, EPERM, ESRCH, ENOSPC)
FILE_ERRORS = (ENOSPC, EACCES, EIO)
STORE_ERRORS = {
    "READ": ("EACCES",),
    "DIRECTORY": ("EACCES",),
    "TRANSACTION_START": ("ENOSPC", "EBUSY"),
    "TRANSACTION_END": ("EAGAIN", "ENOSPC"),
    "WATCH": ("ENOSPC",),
    "UNWATCH": (),
    "INTRODUCE": ("EINVAL",),
    "WRITE": ("ENOSPC", "EACCES", "EINVAL"),
    "SET_PERMS": ("EACCES", "ENOSPC"),
    "RM": ("EACCES", "ENOSPC"),
}
ANY_REQUEST = ("ENOMEM",)
"""What the daemon may answer to whatever it is asked."""
_MANY = ("READ", "WRITE", "SET_PERMS")
"""Requests that go out by dozens at once."""


class Died(BaseException):
    """The process is no more."""


class Faults:
    """Counts the calls of one run; `fault` happens at `step`."""

    def __init__(self, step: Step | None = None, fault: Fault = "") -> None:
        self.steps: list[Step] = []
        self.dead = self.happened = False
        self._step, self._fault = step, fault
        self._counts: Counter[str] = Counter()
        self._lock = Lock()

    def enter(self, name: str) -> Fault:
        """A call begins; what happens to it, empty for nothing."""
        with self._lock:
            self.check()
            self._counts[name] += 1
            self.steps.append((name, self._counts[name]))
            if self.steps[-1] != self._step:
                return ""
            self.happened = True
            self.dead = self._fault == DIE
            self.check()
            return self._fault

    def die(self) -> None:
        """The process ends here."""
        self.dead = True
        self.check()

    def check(self) -> None:
        """The dead do nothing."""
        if self.dead:
            raise Died


def every_fault(step: Step) -> Iterator[Fault]:
    """All that can happen to a call: each plausible error, the end of the connection, death before it and after it."""
    part, _, name = step[0].partition(".")
    if part == "store":
        yield from (*STORE_ERRORS.get(name, ("EINVAL",)), *ANY_REQUEST, CLOSE)
    elif name != "leave":
        yield from {"hyper": HYPERCALL_ERRORS, "userdata": FILE_ERRORS, "UserData": FILE_ERRORS}.get(part, (EIO,))
    yield from DEATHS


def some_faults(step: Step, number: int) -> Iterator[Fault]:
    """A share of them for each run of the tests, by the call's place among all. Of requests that go out by dozens, one
    read in three, and each write, has one of the errors, and some the rest; no death comes after a call, as before the
    next one is nearly the same."""
    part, _, name = step[0].partition(".")
    some = name in _MANY
    if part == "store":
        errors = STORE_ERRORS.get(name, ("EINVAL",))
        if name != "READ" or number % 3 == 0:
            yield from (errors[number % len(errors)],) if some else errors
        if not some or number % 4 == 0:
            yield CLOSE
    elif name != "leave":
        yield from HYPERCALL_ERRORS if part == "hyper" else (ENOSPC,)
    if not some or number % 3 == 0:
        yield DIE
