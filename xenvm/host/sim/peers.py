"""Who lives on a simulated host: what is made for each guest that starts, and what runs in domain 0 from the beginning.

Everything is loaded when a world is made, and not before: a command on a real host never needs it.
"""

from __future__ import annotations

from os.path import join

from xenvm.host.sim.back_block import block_driver
from xenvm.host.sim.back_net import NetDriver
from xenvm.host.sim.consoled import Consoled
from xenvm.host.sim.kernel import Kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from xenvm.host.sim.back import BackDriver
    from xenvm.host.sim.world import World
    from xenvm.types import Domid


def kernel(world: World, domid: Domid, state: Any) -> Kernel:
    """The kernel of a guest; it behaves as its command line says."""
    made = Kernel(world.guest_side(domid), lambda: world.peer_client(domid), world.clock)
    if state is not None:
        made.restore(state)
    return made


def console_daemon(world: World, state: Any) -> Consoled:
    """xenconsoled."""
    daemon = Consoled(world.peer_client(), world.back_side(), lambda: join(world.files(), "console"))
    if state is not None:
        daemon.restore(state)
    return daemon


def block_back_ends(world: World, _state: Any) -> BackDriver:
    """blkback."""
    return block_driver(world.peer_client(), world.back_side())


def net_back_ends(world: World, _state: Any) -> NetDriver:
    """netback."""
    return NetDriver(world.peer_client(), world.back_side())


SERVICES = (console_daemon, block_back_ends, net_back_ends)
