"""Runs a command and turns what it raised into one line and an exit code: the only place that knows the codes."""

from __future__ import annotations

import os
import sys

from xenbus.errors import StoreTimeout, XenbusError
from xenvm import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from xenvm.cli.rows import Command
    from xenvm.host.open import Host

OK, FAILED, USAGE, NO_DOMAIN, EXISTS, TIMEOUT, CONFIG, UNSUPPORTED, REFUSED, DEVICE = range(10)
"""Exit codes, documented in docs/exit-codes.md and kept for ever."""
CONFLICT = 10
"""Of a plan: nothing is wrong with the guest, but this host cannot take it now."""
INTERRUPTED = 130
"""As a shell says of a command that ^C ended."""

_CODES: tuple[tuple[type[Exception], int], ...] = (
    (errors.NoSuchDomain, NO_DOMAIN),
    (errors.DomainExists, EXISTS),
    (errors.WaitTimeout, TIMEOUT),
    (StoreTimeout, TIMEOUT),
    (errors.ConfigError, CONFIG),
    (errors.ImageError, CONFIG),
    (errors.UnsupportedError, UNSUPPORTED),
    (errors.HypercallError, REFUSED),
    (errors.DeviceError, DEVICE),
)

debug = False
"""Whether an error shows where it was raised."""
chosen_host: str | None = None
"""What --host said."""


def open_host(quietly: bool = False) -> Host:
    """The host of this command; says so if it is a simulated one that nobody asked for, unless `quietly`."""
    from xenvm.host import open as hosts

    host = hosts.open_host(chosen_host, say)
    if host.notice and not quietly:
        say(host.notice)
    if not host.lasting:
        from xenvm.ops.attend import attend

        host.attended(attend)
    return host


def say(text: str) -> None:
    """Tells something at once, beside the command's output."""
    aside(f"xenvm: {text}")


def usage(sentence: str) -> int:
    """Says what is wrong with a command line; the exit code."""
    say(sentence)
    return USAGE


def aside(line: str) -> None:
    """Prints on the standard error; if nobody reads that any more, the command goes on nevertheless."""
    try:
        print(line, file=sys.stderr, flush=True)
    except BrokenPipeError:
        _to_nobody(2)


class Answer:
    """``with Answer():`` around what prints what the exit code says, too: a reader that leaves early, such as
    ``head``, ends the printing and not the command."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        gone = kind is not None and issubclass(kind, BrokenPipeError)
        if gone:
            _to_nobody(1)
        return gone


def _to_nobody(stream: int) -> None:
    """What is still to be written there, by whatever buffer, goes nowhere."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream)
    os.close(null)


def explicit_host() -> bool:
    """Whether the command line or the environment says which host is meant."""
    from xenvm.host.open import VARIABLE

    return bool(chosen_host or os.environ.get(VARIABLE))


def run(command: Command, values: dict[str, object]) -> int:
    """Runs the function of a command with its values; the exit code."""
    host = chosen_host or os.environ.get("XENVM_HOST") or ""
    if host.startswith("libvirt:"):
        from xenvm.cli.on_libvirt import serve

        return attempt(lambda: serve(command, values, host.removeprefix("libvirt:")))
    return attempt(lambda: load(command)(**values))


def load(command: Command) -> Callable[..., int | None]:
    """The function of a command."""
    module_name, _, name = command.call.partition(":")
    found: Callable[..., int | None] = getattr(__import__(f"xenvm.cli.{module_name}", fromlist=[name]), name)
    return found


def attempt(call: Callable[[], int | None]) -> int:
    """Calls it and tells what it raises; the exit code."""
    try:
        return int(call() or OK)
    except (errors.XenvmError, XenbusError) as error:
        return _tell(error)
    except KeyboardInterrupt as error:
        _tell_notes(error)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone: not an error, and nothing more can be said to it.
        _to_nobody(1)
        return OK
    except OSError as error:
        return _tell(error, _sentence(error))
    except ModuleNotFoundError as error:
        return _tell(error)  # click, fdt or pyxs is not installed


def _sentence(error: OSError) -> str:
    """What the system said, of which file; what an error's own text says, if it is none of the system's."""
    if not error.strerror:
        return str(error)
    return f"{error.filename}: {error.strerror}" if error.filename is not None else error.strerror


def _tell(error: Exception, text: str = "") -> int:
    if debug:
        raise error
    say(text or str(error))
    _tell_notes(error)
    return exit_code(error)


def _tell_notes(error: BaseException) -> None:
    for note in getattr(error, "__notes__", ()):
        say(note)


def exit_code(error: Exception) -> int:
    """The exit code of an error."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), FAILED)


def leave(code: int) -> NoReturn:
    """Ends the process without the interpreter's tidying up, which costs a tenth of a short command."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        pass
    os._exit(code)
