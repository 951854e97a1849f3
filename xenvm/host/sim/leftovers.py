"""What programs that died have left on a simulated host, and who holds what: see xenvm.host.plumbing.leftovers."""

from __future__ import annotations

from xenvm.host.plumbing import leftovers
from xenvm.host.plumbing.loop import OwnLoop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from xenvm.host.sim.plumbing import Block
    from xenvm.types import Domid


class Leftovers:
    """The loop devices are the world's, the files lie in its folder; there are no locks but that of the folder."""

    def __init__(self, block: Block, folder: Callable[[], str]) -> None:
        self._block, self._folder = block, folder

    def loops(self) -> list[OwnLoop]:
        """All of them: nobody else sets one up."""
        return [OwnLoop(node, self._block.number(node), path) for node, (path, _) in self._block.loops.items()]

    def free_loop(self, node: str, file: str) -> None:
        """Frees a loop device."""
        self._block.detach(node, file)

    def interfaces(self) -> list[leftovers.Interface]:
        """None: they are parts of their back ends."""
        return []

    def take_off(self, interface: str) -> None:
        """There is nothing to take."""

    def data_files(self) -> list[leftovers.DataFile]:
        """The userdata files."""
        return leftovers.data_files(self._folder())

    def remove(self, path: str) -> None:
        """Removes a file."""
        leftovers.remove(path)

    def lock_files(self) -> list[str]:
        """Locks over userdata that nobody holds."""
        return leftovers.lock_files([(self._folder(), "userdata-l.")])

    def remove_lock(self, path: str) -> None:
        """Removes a lock file."""
        leftovers.remove_lock(path)


class Processes:
    """See xenvm.host.plumbing.processes: a world has one command at a time, and its back ends are parts of it."""

    def lives(self, who: str) -> bool:
        """No other process has the world now, and this one has nothing else to do."""
        return False

    def using(self, paths: Iterable[str]) -> dict[str, list[str]]:
        """Nobody."""
        return {path: [] for path in paths}

    def mapping_guests(self) -> list[str]:
        """Nobody by name."""
        return []

    def kernel_devices(self, domid: Domid) -> list[str]:
        """None."""
        return []
