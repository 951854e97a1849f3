"""A simulated host as the toolstack sees it: of a folder for commands, in memory for tests."""

from __future__ import annotations

import os

from xenvm.host.open import Host
from xenvm.host.sim.folder import WorldFolder, usual_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenbus.client import Store
    from xenbus.server.tape import Tape
    from xenvm.host.hyper import Hypervisor
    from xenvm.host.plumbing import Plumbing
    from xenvm.host.sim.world import World

RECORD = "XENVM_RECORD"
"""The environment's variable that names a file: all that is asked of the simulated store is recorded there."""


class SimHost(Host):
    """A Host over a world, which may have a folder."""

    lasting = False

    def __init__(self, world: World, folder: WorldFolder | None = None, notice: str = "") -> None:
        self.world, self.notice = world, notice
        self._folder = folder
        self._hyper: Hypervisor = world.hyper
        self._tape: Tape | None = None

    @property
    def hyper(self) -> Hypervisor:
        """The hypervisor."""
        return self._hyper

    def intercept(self, hyper: Hypervisor) -> None:
        """Puts something in front of the hypervisor, such as what records its calls."""
        self._hyper = hyper

    @property
    def store(self) -> Store:
        """A connection of domain 0."""
        return self.world.store

    @property
    def plumbing(self) -> Plumbing:
        """Everything else, simulated as well."""
        return self.world.plumbing

    def reconnect(self) -> None:
        """A new connection to the store."""
        self.world.store.close()
        self.world.store = self.world.client()

    def changed_at(self, path: str) -> float | None:
        """See Host."""
        return self.world.annals.since(path)

    def record(self, path: str) -> None:
        """Records all that is asked of the store from now on, for the file's owner alone."""
        from xenbus.recording import open_private
        from xenbus.server.tape import Tape

        self._tape = Tape(self.world.xenstored.engine, open_private(path), "a simulated host")

    def close(self) -> None:
        """The end of the command: what became of the world is kept in its folder, if it has one."""
        try:
            if self._folder is not None:
                self._folder.save(self.world)
        finally:
            self.world.close()
            if self._tape is not None:
                self._tape.close()
            if self._folder is not None:
                self._folder.close()


def open_world(path: str = "", notice: str = "") -> SimHost:
    """The simulated host in a folder, the user's own one if none is given; waits while another process has it."""
    folder = WorldFolder(path or usual_folder())
    try:
        host = SimHost(folder.load(), folder, notice)
        if output := os.environ.get(RECORD):
            host.record(output)
        return host
    except BaseException:
        folder.close()
        raise
