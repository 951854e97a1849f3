"""Commands as a user runs them, on a test's host: in this process, in one of their own, or from a script."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager

from xenbus.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import IO, NoReturn

    from xenvm.host.open import Host
    from xenvm.testing.host import XenHost


class Done(Value):
    """A command that has ended: its exit code (docs/exit-codes.md), and what it printed."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str

    def check(self, code: int = 0) -> str:
        """What it printed on standard output; AssertionError with all of it if it ended with another code."""
        if self.code != code:
            raise AssertionError(
                f"{' '.join(self.words)} ended with {self.code} instead of {code}:\n{self.out}{self.err}"
            )
        return self.out


class Commands:
    """The fixture `xenvm`; call it with the words of a command line, ``xenvm("list", "-v")``."""

    def __init__(self, host: XenHost) -> None:
        self._host = host

    def __call__(self, *words: str, input: str = "") -> Done:
        """Runs a command in this process, which is fast; with its standard input, output and errors as files."""
        with _files(input) as (out, err):
            with self._borrowed():
                code = _run([str(word) for word in words])
            sys.stdout.flush()
            sys.stderr.flush()
            return Done(("xenvm", *words), code, _read(out), _read(err))

    def process(self, *words: str, input: str = "", seconds: float = 60.0) -> Done:
        """Runs a command in a process of its own, as a shell would; TimeoutExpired after so many real seconds."""
        return self.script([sys.executable, "-m", "xenvm", *words], input=input, seconds=seconds)

    def script(self, words: Sequence[str], *, input: str = "", seconds: float = 60.0) -> Done:
        """Runs a program that uses xenvm: it finds the command in its PATH, and the host by $XENVM_HOST."""
        import subprocess

        with self._host.lend() as environment:
            environment["PATH"] = os.pathsep.join([self._bin(), environment.get("PATH", os.defpath)])
            done = subprocess.run(
                list(words), input=input, env=environment, capture_output=True, text=True, timeout=seconds
            )
        return Done(tuple(words), done.returncode, done.stdout, done.stderr)

    def _bin(self) -> str:
        """A folder with the command ``xenvm`` of this Python."""
        folder = os.path.join(self._host.folder, "bin")
        os.makedirs(folder, exist_ok=True)
        command = os.path.join(folder, "xenvm")
        if not os.path.exists(command):
            import shlex

            with open(command, "w", encoding="utf-8") as file:
                file.write(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m xenvm "$@"\n')
            os.chmod(command, 0o700)
        return folder

    @contextmanager
    def _borrowed(self) -> Iterator[None]:
        """Commands find the test's host, unless they ask for another one; and they return instead of exiting."""
        from xenvm.cli import run
        from xenvm.host import open as hosts

        kept = hosts.open_host, run.leave, run.chosen_host, run.debug

        def open_host(choice: str | None = None, tell: Callable[[str], object] = run.say) -> Host:
            return kept[0](choice, tell) if choice else self._host.host

        hosts.open_host, run.leave = open_host, _leave
        try:
            yield
        finally:
            hosts.open_host, run.leave, run.chosen_host, run.debug = kept


def _leave(code: int) -> NoReturn:
    raise SystemExit(code)


def _run(words: list[str]) -> int:
    from xenvm.cli import run
    from xenvm.cli.fast import parse

    try:
        plain = parse(words)
        if plain is not None:
            return run.run(*plain)
        from xenvm.cli.app import run_with_click

        run_with_click(words)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)


@contextmanager
def _files(typed: str) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """Descriptors 0 to 2, and Python's objects for them, are files meanwhile: commands use both."""
    from tempfile import TemporaryFile

    with TemporaryFile() as stdin, TemporaryFile() as out, TemporaryFile() as err:
        stdin.write(typed.encode())
        stdin.seek(0)
        kept = sys.stdin, sys.stdout, sys.stderr
        saved = [os.dup(number) for number in range(3)]
        try:
            for number, file in enumerate((stdin, out, err)):
                os.dup2(file.fileno(), number)
            sys.stdin, sys.stdout, sys.stderr = _stream(0, "r"), _stream(1, "w"), _stream(2, "w")
            yield out, err
        finally:
            sys.stdin, sys.stdout, sys.stderr = kept
            for number, old in enumerate(saved):
                os.dup2(old, number)
                os.close(old)


def _stream(number: int, mode: str) -> IO[str]:
    return open(number, mode, encoding="utf-8", closefd=False)


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")
