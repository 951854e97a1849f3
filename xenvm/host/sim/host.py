"""A simulated host as the toolstack sees it: of a folder for commands, in memory for tests."""

from __future__ import annotations

import os

from xenvm.errors import HostAtRest
from xenvm.host.open import Host
from xenvm.host.sim.folder import WorldFolder, usual_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenbus.client import Store
    from xenbus.server.tape import Tape
    from xenvm.host.back import BackSide
    from xenvm.host.hyper import Hypervisor
    from xenvm.host.plumbing import Plumbing
    from xenvm.host.sim.behaviour import Behaviour
    from xenvm.host.sim.bell import Bell
    from xenvm.host.sim.world import World

RECORD = "XENVM_RECORD"
"""The environment's variable that names a file: all that is asked of the simulated store is recorded there."""
LOG = "monitor.log"
"""What became of guests that went down, with the world's time, in its folder."""


class SimHost(Host):
    """A Host over a world, which may have a folder."""

    lasting, resident = False, True

    def __init__(self, world: World, folder: WorldFolder | None = None, notice: str = "") -> None:
        super().__init__()
        self.notice = notice
        self._folder = folder
        self.exclusive = folder is not None
        self._tape: Tape | None = None
        self._attend: Callable[[Host, Callable[[str], None]], object] | None = None
        self._use(world)

    def _use(self, world: World) -> None:
        self.world, self._closed = world, False
        self._hyper: Hypervisor = world.hyper
        world.plumbing.console.turns = self

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

    def back_side(self) -> BackSide:
        """What a back end may do."""
        return self.world.back_side()

    @property
    def gic(self) -> int | None:
        """The machine's."""
        return self.world.hyper.machine.gic

    def reconnect(self) -> None:
        """A new connection to the store."""
        self.world.store.close()
        self.world.store = self.world.client()

    def attended(self, attend: Callable[[Host, Callable[[str], None]], object]) -> None:
        """Has `attend` see to what happened to guests: now, and once more at the end of the command."""
        self._attend = attend
        attend(self, self._log)

    def _log(self, text: str) -> None:
        with open(os.path.join(self.world.files(), LOG), "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{self.world.now:.1f} {text}\n")

    def changed_at(self, path: str) -> float | None:
        """See Host."""
        return self.world.annals.since(path)

    def date(self) -> float:
        """See Host."""
        return self.world.now

    def record(self, path: str) -> None:
        """Records all that is asked of the store from now on, for the file's owner alone."""
        from xenbus.recording import open_private
        from xenbus.server.tape import Tape

        self.exclusive = False  # one recording is of one stay
        self._tape = Tape(self.world.xenstored.engine, open_private(path), "a simulated host")

    def until_changed(self) -> None:
        """See Host."""
        if self._folder is None:
            raise HostAtRest("nobody else can change a simulated host that has no folder")
        with self._folder.bell() as bell:
            self.close()
            bell.wait()

    def let_go(self) -> Bell | None:
        """Lets others have the world until `take_up`, and gives what they ring when they have changed it.

        None if it is not to be shared now.
        """
        if self._folder is None or not (self.exclusive and self.courteous):
            return None
        bell = self._folder.bell()
        try:
            self.close()
        except BaseException:
            bell.close()
            raise
        return bell

    def take_up(self) -> World | None:
        """The world as others have left it, None as long as one of them has it."""
        assert self._folder is not None
        try:
            folder = WorldFolder(self._folder.path, wait=False)
        except BlockingIOError:
            return None
        try:
            world = folder.load()
        except BaseException:
            folder.close()
            raise
        world.behaviour = self.world.behaviour
        self._folder = folder
        self.kept.clear()  # it was of the world as it was
        self._use(world)
        if self._attend is not None:
            self._attend(self, self._log)
        return world

    def close(self) -> None:
        """The end of the command: what became of the world is kept in its folder, if it has one."""
        closed, self._closed = self._closed, True
        if closed:
            return
        try:
            if self._attend is not None:
                self.world.settle()
                self._attend(self, self._log)
            if self._folder is not None:
                self._folder.save(self.world)
        finally:
            self.world.close()
            if self._tape is not None:
                self._tape.close()
            if self._folder is not None:
                self._folder.close()


def _asked(text: str) -> tuple[dict[str, object], Behaviour | None]:
    from xenvm.host.sim.choice import Choice

    choice = Choice(text)
    return choice.fields, choice.behaviour


def open_world(choice: str = "", notice: str = "", tell: Callable[[str], object] = lambda _text: None) -> SimHost:
    """The simulated host in a folder, the user's own one if none is given; waits while another process has it.

    `tell` hears who that is when it takes long.

    `choice` is ``FOLDER?xen=4.17&gic=v2...``, see xenvm.host.sim.choice: what a new world is made of. HostError where
    the folder has another one.
    """
    path, asked, _ = choice.partition("?")
    fields, behaviour = _asked(choice) if asked else ({}, None)
    folder = WorldFolder(path or usual_folder(), tell)
    try:
        world = folder.load(fields)
        world.behaviour = behaviour or world.behaviour
        host = SimHost(world, folder, notice)
        if output := os.environ.get(RECORD):
            host.record(output)
        return host
    except BaseException:
        folder.close()
        raise
