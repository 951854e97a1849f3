"""Hotplug scripts, run by the documented protocol (libxl_linux.c, docs of ``block`` and ``vif-*``).

A script learns of its device from the environment and reads the rest from the store by itself; its exit status says
whether it worked, and ``hotplug-error`` in the store says why not.
"""

from __future__ import annotations

import os
import select
import signal
import time

from xenbus.value import Value
from xenvm.errors import DeviceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from xenvm.types import Domid

FOLDER = "/etc/xen/scripts"
TIMEOUT = 40.0
"""Seconds that a script may take, as libxl has it."""


class HotplugDevice(Value):
    """What a script is told about a device."""

    name: str
    """For messages."""
    script: str
    kind: str
    """The back end's kind: vbd, vbd3 or vif."""
    domid: Domid
    devid: int
    gatewaydev: str = ""
    """Of a vif."""

    def arguments(self, adding: bool) -> list[str]:
        """The script's command line."""
        script = script_path(self.script)
        if self.kind == "vif":
            return [script, "online" if adding else "offline", "type_if=vif"]
        return [script, "add" if adding else "remove"]

    def environment(self) -> dict[str, str]:
        """What is added to the caller's environment; paths are relative to this domain's home in the store."""
        added = {
            "script": script_path(self.script),
            "XENBUS_TYPE": self.kind,
            "XENBUS_PATH": f"backend/{self.kind}/{self.domid}/{self.devid}",
            "XENBUS_BASE_PATH": "backend",
        }
        if self.kind == "vif":
            added |= {"netdev": self.gatewaydev, "vif": f"vif{self.domid}.{self.devid}"}
        return added


def script_path(script: str) -> str:
    """The absolute path of a script; a relative one lies in /etc/xen/scripts."""
    return os.path.join(FOLDER, script)


def is_program(path: str) -> bool:
    """Whether a script can be run on this host."""
    return os.access(path, os.X_OK)


def attach(device: HotplugDevice, read_error: Callable[[], str | None], timeout: float = TIMEOUT) -> None:
    """Runs the script that makes a device usable; `read_error` reads the back end's ``hotplug-error``.

    :raises DeviceError: it cannot be run, failed, or took too long.
    """
    _run(device, True, read_error, timeout)


def detach(device: HotplugDevice, read_error: Callable[[], str | None], timeout: float = TIMEOUT) -> None:
    """Runs the script that gives a device's resources back; errors as in :func:`attach`."""
    _run(device, False, read_error, timeout)


def _run(device: HotplugDevice, adding: bool, read_error: Callable[[], str | None], timeout: float) -> None:
    arguments = device.arguments(adding)
    command = " ".join(arguments)
    try:
        pid = _spawn(arguments, device.environment())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise DeviceError(device.name, f"the hotplug script {arguments[0]} cannot be run: {reason}") from error
    status = _await(pid, timeout)
    if status is None:
        raise DeviceError(device.name, f"'{command}' was killed, it did not end in {timeout:g} s")
    if status:
        how = f"failed with exit status {status}" if status > 0 else f"died of signal {-status}"
        said = " ".join((read_error() or "").split())
        raise DeviceError(device.name, f"'{command}' {how}" + (f": {said}" if said else ""))


def _spawn(arguments: list[str], environment: Mapping[str, str]) -> int:
    """Starts a script in a process group of its own, without input, its output going to our standard error."""
    return os.posix_spawn(
        arguments[0],
        arguments,
        {**os.environ, **environment},
        file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), (os.POSIX_SPAWN_DUP2, 2, 1)],
        setpgroup=0,
        # Python ignores these, and a child would inherit that.
        setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
    )


def _await(pid: int, timeout: float) -> int | None:
    """The exit status, the negative number of the signal that ended it, or None: killed after `timeout` seconds."""
    try:
        ended = _wait_until(pid, time.monotonic() + timeout)
    except BaseException:
        _kill(pid)
        raise
    if not ended:
        _kill(pid)
        return None
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _wait_until(pid: int, deadline: float) -> bool:
    """Whether a child ended before the deadline; it is not reaped."""
    fd = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        return bool(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))
    finally:
        os.close(fd)


def _kill(pid: int) -> None:
    """Ends the whole group and reaps its leader, which until then keeps the number from being reused."""
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
