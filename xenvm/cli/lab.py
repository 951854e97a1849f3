"""lab: the verbs of :mod:`xenvm.lab` as commands."""

from __future__ import annotations

from xenvm.errors import HostError
from xenvm.lab import LabError, Options, verbs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def _told(call: Callable[[], int]) -> int:
    try:
        return call()
    except LabError as error:
        raise HostError(str(error)) from error


def build(suite: str, mirror: str | None) -> int:
    """Builds an image."""
    return _told(lambda: verbs.build([suite], mirror))


def up(
    name: str | None, suite: str, memory: int, dom0_mem: int, cpus: int, gic: int, xen_args: str, timeout: int
) -> int:
    """Boots a lab."""
    machine = Options(memory, cpus, gic, dom0_mem, xen_args)
    return _told(lambda: verbs.up(name, suite, machine, timeout))


def down(names: tuple[str, ...], every: bool) -> int:
    """Takes labs down."""
    return _told(lambda: verbs.down(names, every))


def status() -> int:
    """Lists labs and images."""
    return _told(verbs.status)


def execute(command: tuple[str, ...], name: str | None, tty: bool, stdin: bool, timeout: int | None) -> int:
    """Runs a command in dom0."""
    return _told(lambda: verbs.execute(name, command, tty=tty, stdin=stdin, timeout=timeout))


def put(source: str, path: str, name: str | None) -> int:
    """Copies a file into dom0."""
    return _told(lambda: verbs.put(name, source, path))


def get(path: str, target: str, name: str | None) -> int:
    """Copies a file out of dom0."""
    return _told(lambda: verbs.get(name, path, target))


def console(name: str | None, follow: bool) -> int:
    """Prints the serial log."""
    return _told(lambda: verbs.console(name, follow))
