"""All front ends of a simulated kernel."""

from __future__ import annotations

from xenbus.bus import CLOSING, CONNECTED, INITIALISED
from xenbus.devicebus import Bus
from xenvm.host.sim.front_block import BlockFront
from xenvm.host.sim.front_net import NetFront
from xenvm.host.sim.guestpages import Pages
from xenvm.host.sim.hostile import Hostility

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from xenbus.watcher import Watcher
    from xenvm.host.sim.front import GuestFrontend
    from xenvm.host.sim.kernel import Kernel

DRIVERS: dict[str, type[GuestFrontend]] = {"vbd": BlockFront, "vif": NetFront}
"""Kinds of devices that a kernel has a driver for, unless it is told otherwise."""


class GuestDevices:
    """The bus ``device`` of one guest, and the pages that are shared through it."""

    def __init__(self, kernel: Kernel, watcher: Watcher) -> None:
        self.watcher = watcher
        self.pages = Pages(kernel.info)
        self.disks: dict[str, BlockFront] = {}
        self.nics: dict[str, NetFront] = {}
        self._kernel = kernel
        self._bus = Bus(watcher, "device", self._probe, kernel.log)
        self._hostility = Hostility(watcher.store) if kernel.behaviour.hostile else None

    def step(self, fired: Iterable[int]) -> bool:
        """Handles events of the store and of ports; whether there was anything to do."""
        if not (self.watcher.step() | self._bus.step(fired)):
            return False
        for table in (self.disks, self.nics):
            for devid in [devid for devid, end in table.items() if end.gone]:
                del table[devid]
        if self._hostility:
            self._hostility.strike(self._fronts())
        return True

    def shut_down(self) -> None:
        """Begins to close all devices, as a guest does that goes down."""
        for path, end in self._bus.ends.items():
            end.shutting_down = True  # type: ignore[attr-defined]
            self._bus.mark(path)

    def all_closed(self) -> bool:
        """Whether no device is in service any more."""
        return not any(end.state in (INITIALISED, CONNECTED, CLOSING) for end in self._fronts())

    def state(self) -> list[Any]:
        """What restore() takes."""
        return [self.pages.state(), {end.path: end.state_of() for end in self._fronts()}]

    def restore(self, state: list[Any]) -> None:
        """Goes on where another object stood."""
        self.pages.restore(state[0])
        for path, saved in state[1].items():
            end = self._kernel.drivers[path.split("/")[1]](self._bus, path, saved["peer"], saved["remote"])
            self._register(end)
            end.restore(saved)
            self._bus.adopt(end)

    @property
    def ends(self) -> dict[str, GuestFrontend]:
        """All front ends in service, by path, as ``device/vbd/51712``."""
        return self._bus.ends  # type: ignore[return-value]  # only such are made here

    def _fronts(self) -> list[GuestFrontend]:
        return list(self.ends.values())

    def _probe(self, bus: Bus, path: str) -> GuestFrontend | None:
        kind = path.split("/")[1]
        behaviour = self._kernel.behaviour
        lacks = {"vbd": behaviour.no_disk_driver, "vif": behaviour.no_net_driver}.get(kind)
        driver = None if lacks else self._kernel.drivers.get(kind)
        end = driver.probe(bus, path) if driver else None
        if end is not None:
            self._register(end)
        return end

    def _register(self, end: GuestFrontend) -> None:
        end.attach(self._kernel.side, self.pages, self._kernel.log)
        end.stubborn = self._kernel.behaviour.ignore_detach
        end.secretive = self._kernel.behaviour.keeps_rings
        if isinstance(end, BlockFront):
            self.disks[end.devid] = end
        elif isinstance(end, NetFront):
            self.nics[end.devid] = end
