"""Keeps signals out of the moments in which an exception would make us forget what we hold."""

from __future__ import annotations

from signal import SIG_BLOCK, SIG_SETMASK, SIGHUP, SIGINT, SIGTERM, pthread_sigmask

_ENDINGS = (SIGHUP, SIGINT, SIGTERM)


class Shield:
    """A context manager: what would end this thread waits until the block is left. May be nested."""

    def __enter__(self) -> Shield:
        self._before = pthread_sigmask(SIG_BLOCK, _ENDINGS)
        return self

    def __exit__(self, *exc: object) -> None:
        pthread_sigmask(SIG_SETMASK, self._before)
