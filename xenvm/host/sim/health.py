"""What doctor and explain ask of a simulated host: its services, bridges and folder (see xenvm.host.plumbing)."""

from __future__ import annotations

import os

from xenvm.errors import DeviceError
from xenvm.host.plumbing import health
from xenvm.host.plumbing.survey import FAIL, MIB, OK, Finding
from xenvm.host.sim.faults import MISSING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xenvm.host.sim.faults import Faults
    from xenvm.host.sim.plumbing import Bridge


class Health:
    """See xenvm.host.plumbing.health."""

    def __init__(self, bridge: Bridge, faults: Faults) -> None:
        self._bridge, self._faults = bridge, faults

    def driver(self, kind: str) -> str:
        """What is wrong with the driver of a kind."""
        return (
            f"no back end for {kind} runs on this simulated host" if self._faults.services.get(kind) == MISSING else ""
        )

    def daemon(self, program: str) -> bool | None:
        """Whether a program runs."""
        return program != "xenconsoled" or self._faults.services.get("console") != MISSING

    def terminal(self, path: str) -> bool:
        """Whether a terminal exists: consoles have what stands in for one."""
        return path.startswith("sim/console/")

    def disk(self, target: str, mode: str, node: str) -> str:
        """What is wrong with a disk's file; its loop device is simulated."""
        return health.disk(target, mode, "")

    def bridge(self, name: str) -> str:
        """What is wrong with a bridge."""
        try:
            self._bridge.find_bridge(name, "")
            return ""
        except DeviceError as error:
            return error.reason.removeprefix("the ")

    def link(self, interface: str, bridge: str) -> str:
        """What is wrong with an interface."""
        exists = self._bridge.interface_exists(interface)
        return "" if exists else f"the network interface {interface} does not exist"


class Survey:
    """See xenvm.host.plumbing.survey: all that this host needs of the machine is a folder."""

    def __init__(self, folder: Callable[[], str], health: Health) -> None:
        self._folder, self._health = folder, health

    def survey(self) -> Iterator[Finding]:
        """The services of the simulated domain 0, and its folder."""
        for service in ("vbd", "vif"):
            trouble = self._health.driver(service)
            yield Finding("back end", FAIL if trouble else OK, trouble or f"back ends for {service} run")
        runs = self._health.daemon("xenconsoled")
        yield Finding("daemon", OK if runs else FAIL, "xenconsoled runs" if runs else "xenconsoled is not running")
        folder = os.path.dirname(self._folder())
        room = os.statvfs(folder)
        free = room.f_bavail * room.f_frsize // MIB
        yield Finding("disk space", OK if free > 1 else FAIL, f"{free} MiB are free in {folder}, where it is kept")

    def tool_releases(self) -> list[str]:
        """There are no other tools."""
        return []
