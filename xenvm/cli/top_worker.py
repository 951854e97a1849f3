"""The thread of `top` that asks the host, so that the face never waits: looks, acts, and reconnects a lost store.

Only this thread uses the host; the face gives it jobs, and is told of what came out.
"""

from __future__ import annotations

import os
import select
from collections import deque
from threading import Event, Thread
from time import monotonic

from xenbus.errors import NoStore, StoreClosed, StoreTimeout, XenbusError
from xenbus.value import Value
from xenvm.errors import XenvmError
from xenvm.ops.top import Rates, Row, escaped, rows
from xenvm.ops.top_look import DEVICES, NOTHING, Looker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenvm.host.open import Host

GATHER_SECONDS = 0.2
"""So long news are gathered before the store is read again: a guest that writes all the time costs no more."""
STOP_SECONDS = 10.0
"""So long the end waits for what is under way: longer than a guest may take."""
RETRY_SECONDS = 1.0
"""Between attempts to reach a store that was lost."""


class Seen(Value):
    """A look: the rows by domid."""

    rows: list[Row]


class Said(Value):
    """A sentence for the user, and whether something is wrong."""

    text: str
    wrong: bool = False


class Lost(Value):
    """The store cannot be reached; the next Seen says that it can."""

    text: str


class Died(Value):
    """The thread has ended by an error that nobody expected."""

    error: Exception


class Worker(Thread):
    """Tells of `Seen`, `Said`, `Lost` and `Died`, until `stop`."""

    def __init__(self, host: Host, tell: Callable[[Value], object], delay: float) -> None:
        super().__init__(name="top", daemon=True)
        self._host, self._tell, self._delay = host, tell, delay
        self._jobs: deque[Callable[[Host], str]] = deque()
        self._ended = False
        self._free = Event()
        self._wake_end, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._looker, self._rates = Looker(host), Rates()
        self._watching = False
        self._wanted = DEVICES
        self._next_look = self._last_turn = monotonic()
        self._last_look = 0.0

    def do(self, job: Callable[[Host], str]) -> None:
        """Has a job done next: what it returns or raises is told as a sentence."""
        self._jobs.append(job)
        self._nudge()

    def park(self, parked: Callable[[], object]) -> Event:
        """Calls `parked` when the thread has laid the host down, and takes it up when the event is set."""
        free = self._free = Event()

        def wait(_host: Host) -> str:
            parked()
            free.wait()
            return ""

        self.do(wait)
        return free

    def stop(self) -> None:
        """Ends the thread, when it has done what it does; one that hangs is left behind."""
        self._ended = True
        self._free.set()
        self._nudge()
        self.join(STOP_SECONDS)
        if not self.is_alive():
            os.close(self._wake)
            os.close(self._wake_end)

    def run(self) -> None:
        """The thread."""
        try:
            while not self._ended:
                self._guarded_turn()
        except Exception as error:
            self._tell(Died(error))

    def _guarded_turn(self) -> None:
        try:
            self._turn()
        except (StoreClosed, NoStore, StoreTimeout) as error:
            self._lost(error)
        except (XenvmError, XenbusError, OSError) as error:
            self._tell(Said(escaped(str(error)), True))
            self._next_look = monotonic() + self._delay
            self._drain(self._delay)

    def _turn(self) -> None:
        """Does what is to do, and sleeps until there is more."""
        if not self._watching:
            self._looker.watch()
            self._watching = True
        while self._jobs and not self._ended:
            self._work(self._jobs.popleft())
        self._news()
        if self._wanted != NOTHING or monotonic() >= self._next_look:
            self._drain(max(0.0, self._last_look + GATHER_SECONDS - monotonic()))
            self._news()
            self._look()
        self._news()  # what came with the answers is seen by no descriptor
        if self._wanted == NOTHING and not self._jobs and not self._ended:
            self._drain(max(0.0, self._next_look - monotonic()), self._descriptor())

    def _look(self) -> None:
        self._last_look = monotonic()
        sample = self._looker.look(self._wanted)
        self._wanted, self._next_look = NOTHING, self._last_look + self._delay
        self._tell(Seen(rows(sample, self._rates.take(sample))))

    def _news(self) -> None:
        """Takes what the store has told; on a simulated host, the time that we slept passes now."""
        now = monotonic()
        slept, self._last_turn = now - self._last_turn, now
        until = 0.0 if self._host.lasting else self._host.store.clock() + slept
        self._wanted = max(self._wanted, self._looker.events(until))

    def _work(self, job: Callable[[Host], str]) -> None:
        try:
            said = Said(escaped(job(self._host)))
        except StoreClosed:
            raise
        except (XenvmError, XenbusError, OSError) as error:
            said = Said(escaped(str(error)), True)
        if said.text:
            self._tell(said)
        self._wanted = DEVICES

    def _lost(self, error: XenbusError) -> None:
        self._tell(Lost(escaped(str(error))))
        self._watching, self._wanted = False, DEVICES
        self._looker = Looker(self._host)
        self._drain(RETRY_SECONDS)
        if not self._ended:
            self._host.reconnect()

    # Sleeping.

    def _drain(self, seconds: float, *others: int | None) -> None:
        """Sleeps so long, or until there is a job or something to read, and forgets that it was woken."""
        wanted = [self._wake_end, *(fd for fd in others if fd is not None)]
        if select.select(wanted, [], [], seconds)[0][:1] == [self._wake_end]:
            os.read(self._wake_end, 4096)

    def _descriptor(self) -> int | None:
        """The store's, if it has one: a simulated host's has not."""
        try:
            return self._host.store.fileno()
        except OSError:
            return None

    def _nudge(self) -> None:
        try:
            os.write(self._wake, b"x")
        except BlockingIOError:
            pass  # it has been nudged often enough
