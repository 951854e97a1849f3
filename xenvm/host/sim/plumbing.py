"""Loop devices, bridges, scripts, locks and files of a simulated host: nothing of the machine is touched.

The parts have the names and signatures of the modules of xenvm/host/plumbing. Their rules stay the real ones: which
disks may be shared, what can be a disk. Scripts are not run; what they would have told the back end is written.
"""

from __future__ import annotations

import os

from xenbus.request import Write
from xenvm.errors import DeviceError, UnsupportedError, WaitTimeout
from xenvm.host.plumbing import block, consolelog, scripts
from xenvm.host.plumbing.bridge import BridgePort
from xenvm.host.plumbing.locks import FileLock, HostLock
from xenvm.host.plumbing.loop import LoopDevice
from xenvm.host.plumbing.userdata import UserData
from xenvm.host.sim.loops import Loops, number
from xenvm.types import Domid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Self

    from xenbus.client import Store
    from xenvm.host.plumbing import Started
    from xenvm.host.plumbing.bootloader import Choice
    from xenvm.host.sim.health import Health, Survey
    from xenvm.host.sim.leftovers import Leftovers, Processes
    from xenvm.host.sim.terminal import Terminals

_BRIDGE, _MTU = "xenbr0", 1500
_REUSE_SECONDS = 60.0
"""How long a domid is not given to a new guest, as in libxl."""


class SimPlumbing:
    """All of it, over the state that outlives a process."""

    def __init__(
        self,
        store: Callable[[], Store],
        clock: Callable[[], float],
        folder: Callable[[], str],
        bridges: tuple[str, ...],
        consoles: Callable[[], str],
    ) -> None:
        """`store` gives a connection of domain 0, `folder` where the files of domains may lie, `consoles` where the
        console daemon writes its logs."""
        self.locks, self.bridge = Locks(), Bridge(clock, bridges)
        self.block, self.scripts, self.vifscript = Block(), Scripts(store), VifScript()
        self.bootloader, self.p9daemon = Bootloaders(), P9Daemon()
        self.domids, self.userdata = Domids(clock), UserDatas(folder)
        self.watching, self.consolelog = Watching(), ConsoleLogs(consoles)
        self._folder = folder
        self.console: Terminals
        """The console client; the world puts it in."""

    @property
    def leftovers(self) -> Leftovers:
        """What programs that died have left."""
        from xenvm.host.sim.leftovers import Leftovers

        return Leftovers(self.block, self._folder)

    @property
    def processes(self) -> Processes:
        """Who holds what."""
        from xenvm.host.sim.leftovers import Processes

        return Processes()

    def state(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"loops": self.block.loops, "domids": self.domids.used}

    def restore(self, state: Mapping[str, Any]) -> None:
        """What `state` gave."""
        self.block.loops.restore((node, path, readonly) for node, (path, readonly) in state["loops"].items())
        self.domids.used = [(when, Domid(domid)) for when, domid in state["domids"]]

    health: Health
    survey: Survey
    """The world puts them in."""


class NoHostLock(HostLock):
    """No lock: whoever has the world has all of it."""

    def __init__(self) -> None:
        self._fd = -1


class NoFileLock(FileLock):
    """The same for a lock of another kind."""

    def __init__(self) -> None:
        self._fd = -1


class Locks:
    """See xenvm.host.plumbing.locks."""

    def host_lock(self, *, wait: bool = True) -> HostLock:
        """The lock over memory and building."""
        return NoHostLock()

    def claim(self) -> str:
        """Names this process; no other is at work in its world meanwhile."""
        return str(os.getpid())


class Block:
    """See xenvm.host.plumbing.block."""

    def __init__(self) -> None:
        self.loops = Loops()

    def resolve(self, target: str, mode: str) -> block.BlockTarget:
        """Looks at a disk's target."""
        return block.resolve(target, mode)

    def lock(self) -> FileLock:
        """The lock of the block scripts."""
        return NoFileLock()

    def may_be_shared(self, target: block.BlockTarget) -> bool:
        """Whether another guest may have the disk already."""
        return target.kind == "phy" or bool(self.loops.of(target.path))

    def check_sharing(
        self, target: block.BlockTarget, mode: str, *, vm: str, others: Iterable[block.OtherDisk]
    ) -> None:
        """Refuses a disk that another guest, or this machine, uses in a way that would destroy data."""
        others = list(others)
        if target.kind == "phy":
            block.check_sharing(target, mode, vm=vm, others=others)
            return
        # No file system of the machine is on a simulated device: only its path could be mounted, so that is left out.
        block.check_others(target, mode, self.loops.of(target.path), vm=vm, others=others)

    def attach(
        self, target: block.BlockTarget, mode: str, *, vm: str, others: Iterable[block.OtherDisk]
    ) -> block.BlockAttachment:
        """Checks, and sets up a loop device that exists in this world only."""
        self.check_sharing(target, mode, vm=vm, others=others)
        if target.kind == "phy":
            return block.BlockAttachment(block.physical_device(target.device), target.path)
        device = self._new_loop(target.path, block.canonical_mode(mode) == "r")
        return _Attachment(block.physical_device(device.rdev), device.path, device.path, self)

    def detach(self, node: str, path: str) -> None:
        """Frees a loop device, if it still has the file `path`."""
        if self.loops.get(node, ("", False))[0] == os.path.realpath(path):
            self.loops.detach(node)

    def number(self, node: str) -> int:
        """The device number of a loop device."""
        return number(node)

    def _new_loop(self, path: str, readonly: bool) -> LoopDevice:
        if not os.access(path, os.R_OK if readonly else os.R_OK | os.W_OK):
            raise DeviceError(path, "cannot be opened: Permission denied")
        node = self.loops.attach(path, readonly)
        return LoopDevice(node, number(node))


class _Attachment(block.BlockAttachment):
    """A disk whose loop device is simulated."""

    disks: Block | None = None

    def undo(self) -> None:
        """Frees the loop device."""
        if self.node is not None and self.disks is not None:
            self.disks.loops.detach(self.node)


class Bridge:
    """See xenvm.host.plumbing.bridge: whatever bridge a configuration names is there, unless `names` says which."""

    def __init__(self, clock: Callable[[], float], names: tuple[str, ...] = ()) -> None:
        self._clock, self._names = clock, names
        self.interface_exists: Callable[[str], bool] = lambda name: True
        """Whether the back end of a vif has made its interface."""
        self.wait: Callable[[float], object] = lambda left: None
        """Lets the world go on for some seconds."""
        self.gone: Callable[[], set[str]] = set
        """Bridges that have been taken away."""

    def find_bridge(self, name: str, device: str) -> str:
        """The bridge that a vif's setting means."""
        if (name or _BRIDGE) in self.gone():
            raise DeviceError(device, f"the bridge {name or _BRIDGE} does not exist")
        if name.strip() != name or "/" in name or len(os.fsencode(name)) > 15:
            raise DeviceError(device, f"the bridge {name} does not exist")
        name = name or min(self._names, default=_BRIDGE)
        if self._names and name not in self._names:
            raise DeviceError(device, f"the bridge {name} does not exist")
        return name

    def add(
        self, interface: str, bridge: str, *, device: str, mtu: int | None = None, vifname: str | None = None
    ) -> BridgePort:
        """Puts an interface onto a bridge."""
        return BridgePort(vifname or interface, self.find_bridge(bridge, device), mtu or _MTU)

    def LinkWatch(self) -> Links:
        """Waits for interfaces to appear."""
        return Links(self)

    def seconds_until(self, deadline: float) -> float:
        """How long it is until then, by the world's clock."""
        return deadline - self._clock()


class Links:
    """See xenvm.host.plumbing.bridge.LinkWatch."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge

    def wait(self, names: Iterable[str], deadline: float) -> None:
        """Returns when all `names` exist; WaitTimeout names the first that does not."""
        for name in names:
            while not self._bridge.interface_exists(name):
                left = self._bridge.seconds_until(deadline)
                if left <= 0:
                    raise WaitTimeout(f"the network interface {name} did not appear in time")
                self._bridge.wait(left)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing is open."""


class Scripts:
    """See xenvm.host.plumbing.scripts: none is run."""

    HotplugDevice = scripts.HotplugDevice

    def __init__(self, store: Callable[[], Store]) -> None:
        self._store = store

    def is_program(self, path: str) -> bool:
        """Every script is there."""
        return True

    def attach(self, device: scripts.HotplugDevice, read_error: object) -> None:
        """Writes what a script writes that has done its work."""
        back_end = f"/local/domain/0/{device.environment()['XENBUS_PATH']}"
        self._store().batch_checked([Write(f"{back_end}/hotplug-status", "connected")])

    def detach(self, device: scripts.HotplugDevice, read_error: object) -> None:
        """There is nothing to give back."""


class Bootloaders:
    """See xenvm.host.plumbing.bootloader: there is none."""

    def boot(
        self, name: str, release: tuple[int, int], options: list[str], disk: str, *, restrict: bool, user: str | None
    ) -> Choice:
        """Runs nothing."""
        raise UnsupportedError(f"`bootloader': a simulated host has no programs such as {name}")


class P9Daemon:
    """See xenvm.host.plumbing.p9daemon: there is none."""

    NAME = "xen-9pfsd"

    def find(self, release: tuple[int, int]) -> str:
        """Nothing is found."""
        raise UnsupportedError(f"a simulated host has no programs such as {self.NAME}, which serves shared folders")

    def check_folder(self, path: str) -> str:
        """Every folder can be shared."""
        return ""

    def start(self, program: str) -> Started:
        """Nothing is started."""
        raise UnsupportedError(f"a simulated host has no programs such as {program}")


class VifScript:
    """See xenvm.host.plumbing.vifscript: this host filters nothing, and nobody has put hooks there."""

    def needs_script(self, bridge: str, ip: str | None) -> str | None:
        """Why a vif needs the script, or None."""
        return "its addresses are restricted by ip=" if ip else None


class Domids:
    """See xenvm.host.plumbing.domids: the history is the world's own."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.used: list[tuple[float, Domid]] = []
        """Until when each was used, by the world's clock."""

    def recent(self) -> frozenset[Domid]:
        """Domids that must not be given to a new guest yet."""
        return frozenset(domid for when, domid in self.used if self._clock() - when <= _REUSE_SECONDS)

    def remember(self, domid: Domid) -> None:
        """Marks a domid as used until now; old entries are dropped."""
        recent = self.recent()
        self.used = [(when, known) for when, known in self.used if known in recent and known != domid]
        self.used.append((self._clock(), domid))


class UserDatas:
    """See xenvm.host.plumbing.userdata: the files lie in the world's own folder."""

    def __init__(self, folder: Callable[[], str]) -> None:
        self._folder = folder

    def UserData(self, domid: Domid, uuid: str) -> UserData:
        """The files of one domain."""
        return UserData(domid, uuid, self._folder())


class Watching:
    """See xenvm.host.plumbing.watching: whoever has the world has all of it."""

    SUPERVISOR = 0

    def __init__(self) -> None:
        self._notes: dict[str, str] = {}

    def Duty(self, number: int) -> NoFileLock:
        """No lock."""
        return NoFileLock()

    def on_duty(self, number: int) -> bool:
        """There is nobody else."""
        return False

    def note(self, uuid: str, text: str) -> None:
        """Keeps what is to become of a guest, for as long as this process lasts."""
        self._notes[uuid] = text

    def notes(self) -> dict[str, str]:
        """Every guest's note."""
        return dict(self._notes)

    def forget(self, uuid: str) -> None:
        """Removes one."""
        self._notes.pop(uuid, None)


class ConsoleLogs:
    """See xenvm.host.plumbing.consolelog: the daemon of this world always logs."""

    def __init__(self, folder: Callable[[], str]) -> None:
        self._folder = folder

    def begin(self, name: str) -> None:
        """Marks where a guest's output begins."""
        consolelog.begin(name, self._folder())

    def capture(self, domid: Domid, name: str, tty: str, since: float) -> None:
        """Nothing is left to be captured."""

    def find(self, name: str) -> consolelog.Log | None:
        """The log of a name."""
        return consolelog.find(name, self._folder())
