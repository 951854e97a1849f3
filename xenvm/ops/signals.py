"""Signals that would end the program: kept out of the moments in which an exception would make us forget what we hold,
and turned into exceptions where something is to be undone."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal  # the same functions without the enumerations, which cost a third of a bare start

_ENDINGS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


class Shield:
    """A context manager: what would end this thread waits until the block is left. May be nested."""

    def __enter__(self) -> Shield:
        self._before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDINGS)
        return self

    def __exit__(self, *exc: object) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._before)


class Endings:
    """While it lasts, what ends a process interrupts it as ^C does, so that what is half done can be undone.

    The first signal only: `timeout`, shells and terminals send one to a process and then to its whole group, and the
    second must not meet the undoing of what the first has interrupted.
    """

    def __enter__(self) -> None:
        self._came = False
        self._before = {}
        for number in _ENDINGS:
            if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                self._before[number] = signal.signal(number, self._interrupt)

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _interrupt(self, number: int, frame: object) -> None:
        if not self._came:
            self._came = True
            raise KeyboardInterrupt
