"""Starts daemons: in a session of their own, without an input, and with what they say in a log."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal  # without the enumerations


def spawn(program: str, argv: list[str], log: str) -> int:
    """The pid of a new process; OSError."""
    os.makedirs(os.path.dirname(log), exist_ok=True)
    return os.posix_spawn(
        program,
        argv,
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],  # which Python ignores, and its children would
    )
