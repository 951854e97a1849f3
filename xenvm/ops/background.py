"""Processes of our own that outlive a command: a fork that has closed what it inherited and keeps a log."""

from __future__ import annotations

import os
import time

from xenbus.errors import XenbusError
from xenvm.errors import XenvmError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Say = Callable[[str], None]

LOG_FOLDER = "/var/log/xen"


def fork(work: Callable[[Say], object], what: str, log: str | None = None) -> int:
    """Does `work` in a process of its own and returns its pid; OSError if there is none to be had.

    It opens handles of its own, as the hypervisor's buffers do not survive a fork. What it says goes into the file
    `log`, or where the output of this process goes.
    """
    if pid := os.fork():
        return pid
    code = 1
    try:
        os.setsid()  # ^C and a closed terminal are for the parent
        _detach(log)
        work(say)
        code = 0
    except (XenvmError, XenbusError, OSError) as error:
        for text in (f"{what}: {error}", *getattr(error, "__notes__", ())):
            say(text)
    except BaseException:  # nobody else would ever see it
        import traceback

        say(traceback.format_exc())
    finally:
        os._exit(code)


def _detach(log: str | None) -> None:
    """Standard input from nowhere, output into the log, and nothing of the parent's left open: as long as this process
    held the other end of its connection, the store would keep the parent's watches."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    if log is not None:
        os.makedirs(os.path.dirname(log), exist_ok=True)
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o640)
        os.dup2(out, 1)
        os.dup2(out, 2)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))


def say(text: str) -> None:
    """A line with the time on standard error."""
    os.write(2, f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n".encode("utf-8", "backslashreplace"))
