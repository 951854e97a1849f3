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
    """While it lasts, what ends a process interrupts it as ^C does, so that a creation can be undone."""

    def __enter__(self) -> None:
        self._before = {}
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) == signal.SIG_DFL:
                self._before[number] = signal.signal(number, signal.default_int_handler)

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
