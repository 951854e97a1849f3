"""Who lives on a simulated host: the kernel of each guest that starts, and what runs in domain 0 from the beginning."""

from __future__ import annotations

from xenvm.host.sim.back import BackDriver
from xenvm.host.sim.back_block import block_driver
from xenvm.host.sim.back_net import NetDriver
from xenvm.host.sim.consoled import Consoled
from xenvm.host.sim.kernel import Kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from xenbus.devicebus import Bus
    from xenvm.host.back import GuestBackend
    from xenvm.host.sim.world import World
    from xenvm.types import Domid


def kernel(world: World, domid: Domid, state: Any) -> Kernel:
    """The kernel of a guest. What its command line says of its behaviour comes before what the world says."""
    made = Kernel(world.guest_side(domid), lambda: world.guest_client(domid), world.clock, world.behaviour)
    made.drivers = {**made.drivers, **world.drivers}
    if state:
        made.restore(state)
    return made


def console_daemon(world: World, state: Any) -> Consoled:
    """xenconsoled; its logs lie in the folder ``console`` of the world."""
    daemon = Consoled(world.peer_client(), world.back_side(), world.consoles)
    daemon.trouble = world.faults.of("console")
    if state:
        daemon.restore(state)
    return daemon


def block_back_ends(world: World, _state: Any) -> BackDriver:
    """blkback."""
    driver = block_driver(world.peer_client(), world.back_side())
    driver.trouble = world.faults.of("vbd")
    return driver


def net_back_ends(world: World, _state: Any) -> NetDriver:
    """netback."""
    driver = NetDriver(world.peer_client(), world.back_side())
    driver.trouble = world.faults.of("vif")
    return driver


def folder_back_ends(world: World, _state: Any) -> BackDriver:
    """The real server of shared folders; loaded with the first of them."""

    def probe(bus: Bus, path: str) -> GuestBackend | None:
        from xenvm.host.p9.back import FolderBack

        return FolderBack.probe(bus, path)

    driver = BackDriver("9pfs", world.peer_client(), world.back_side(), probe)
    driver.trouble = world.faults.of("9pfs")
    return driver


SERVICES = (console_daemon, block_back_ends, net_back_ends, folder_back_ends)
