"""A host for one creation that is only to be looked at: a simulated world that is made for it, and thrown away.

Whatever a creation asks of such a host succeeds. Each thing that it does is written down, in order: hypercalls,
requests to the store, and what would happen in domain 0 besides.
"""

from __future__ import annotations

from xenbus.request import Write
from xenbus.value import Value
from xenvm.errors import DeviceError
from xenvm.guest.image import Blob, Kernel
from xenvm.host.plumbing import block
from xenvm.host.plumbing.bridge import BridgePort
from xenvm.host.plumbing.userdata import UserData
from xenvm.host.sim.host import SimHost
from xenvm.host.sim.machine import Machine
from xenvm.host.sim.plumbing import Block, Bridge, P9Daemon, Scripts, UserDatas
from xenvm.host.sim.world import World
from xenvm.host.storetrace import traced
from xenvm.host.trace import Tracer
from xenvm.ops import folders
from xenvm.types import Domid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Self

    from xenbus.client import Store
    from xenbus.request import Request
    from xenvm.host.plumbing.block import BlockTarget, OtherDisk
    from xenvm.host.plumbing.scripts import HotplugDevice

    Note = Callable[[str, dict[str, object]], object]

LOOP, LOOP_NUMBER = "(a loop device)", "(its number)"
"""What stands for a file's loop device, and for its device number: both are chosen at run time."""
TERMINAL = "(a terminal)"
PROCESS = "(its process)"
"""What stands for the number of a process."""


class Noted(Value):
    """Something other than a hypercall: `after` so many hypercalls of the creation's own thread.

    `what` is a request to the store, or (what is done in domain 0, its arguments).
    """

    after: int
    transaction: int
    what: Request | tuple[str, dict[str, object]]


class Scratch(SimHost):
    """The host; `tracer` has the hypercalls, `noted` the rest."""

    def __init__(self, machine: Machine, domid: Domid, pools: dict[int, str]) -> None:
        """The guest becomes `domid`; `pools` are the names of the cpupools by number."""
        world = World(machine, kernel=lambda *_: _Silent(), services=(_Answers,))
        super().__init__(world)
        world.hyper.rotor = domid
        for number, name in pools.items():
            world.store.write(f"/local/pool/{number}/name", name)
        self.noted: list[Noted] = []
        self.tracer = Tracer(world.hyper)
        self.intercept(self.tracer.hyper)
        world.store = traced(world.store, self._note)
        plumbing = world.plumbing
        plumbing.block, plumbing.bridge = _Block(self._done), _Bridge(self._done, world.clock)
        plumbing.p9daemon = _P9Daemon(self._done, world.peer_client())
        plumbing.scripts, plumbing.userdata = _Scripts(self._done), _UserDatas(self._done)

    def __enter__(self) -> Self:
        return self

    def _note(self, transaction: int, request: Request) -> None:
        self._add(transaction, request)

    def _done(self, what: str, arguments: dict[str, object]) -> None:
        self._add(0, (what, arguments))

    def _add(self, transaction: int, what: Request | tuple[str, dict[str, object]]) -> None:
        after = sum(not call.beside for call in self.tracer.calls)
        self.noted.append(Noted(after, transaction, what))


class UnreadKernel(Kernel):
    """A kernel whose data does not matter."""

    def open(self) -> _Nothing:
        """Nothing is read."""
        return _Nothing()


class UnreadBlob(Blob):
    """A ramdisk whose data does not matter."""

    def open(self) -> _Nothing:
        """Nothing is read."""
        return _Nothing()


class _Nothing:
    stamp = None

    def read_into(self, view: memoryview) -> None:
        """Leaves the memory as it is."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing is open."""


class _Silent:
    """A kernel that never does anything."""

    def step(self) -> bool:
        """See Peer."""
        return False

    def due(self) -> float | None:
        """See Peer."""
        return None


class _Answers(_Silent):
    """What a creation waits for: the console daemon's terminal, and back ends that wait for their guest."""

    def __init__(self, world: World, _state: object) -> None:
        self._world, self._store, self._known = world, world.peer_client(), set[int]()

    def step(self) -> bool:
        """See Peer."""
        new = self._world.xenstored.introduced.keys() - self._known
        for domid in new:
            self._known.add(domid)
            self._store.batch([Write(f"/local/domain/{domid}/console/tty", TERMINAL)])
            back_ends = (f"backend/{kind}/{domid}" for kind in self._store.list_or_empty("backend"))
            devices = (f"{path}/{devid}" for path in back_ends for devid in self._store.list_or_empty(path))
            self._store.batch([Write(f"{device}/state", "2") for device in devices])
        return bool(new)


class _Block(Block):
    """Disks as a creation finds them; those that are not on this machine are taken for files."""

    def __init__(self, done: Note) -> None:
        super().__init__()
        self._done = done

    def resolve(self, target: str, mode: str) -> BlockTarget:
        """See Block."""
        try:
            return block.resolve(target, mode)
        except DeviceError:
            return block.BlockTarget("file", target, 0)

    def check_sharing(self, target: BlockTarget, mode: str, *, vm: str, others: Iterable[OtherDisk]) -> None:
        """Whoever wants to know asks the host itself."""

    def attach(self, target: BlockTarget, mode: str, *, vm: str, others: Iterable[OtherDisk]) -> block.BlockAttachment:
        """See Block."""
        if target.kind == "phy":
            return block.BlockAttachment(block.physical_device(target.device), target.path)
        self._done("set up a loop device", {"file": target.path, "readonly": block.canonical_mode(mode) == "r"})
        return block.BlockAttachment(LOOP_NUMBER, LOOP, LOOP)


class _Bridge(Bridge):
    """Bridges, of which each has the usual MTU."""

    def __init__(self, done: Note, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self._done = done

    def add(
        self, interface: str, bridge: str, *, device: str, mtu: int | None = None, vifname: str | None = None
    ) -> BridgePort:
        """See Bridge."""
        port = super().add(interface, bridge, device=device, mtu=mtu, vifname=vifname)
        name = self.find_bridge(bridge, device)
        self._done("put a vif onto its bridge", {"interface": port.interface, "bridge": name})
        return port


class _P9Daemon(P9Daemon):
    """The daemon of shared folders, which a creation starts unless it runs."""

    def __init__(self, done: Note, store: Store) -> None:
        self._done, self._store = done, store

    def find(self, release: tuple[int, int]) -> str:
        """Whoever wants to know asks the host itself."""
        return self.NAME

    def start(self, program: str) -> _Daemon:
        """See P9Daemon."""
        self._done("start a daemon unless it runs", {"program": program})
        self._store.batch([Write(f"{folders.HOME}/state", "running")])
        return _Daemon()


class _Daemon:
    pid = PROCESS

    def ended(self) -> bool:
        """It lasts."""
        return False


class _Scripts(Scripts):
    """Scripts, of which each works."""

    def __init__(self, done: Note) -> None:
        self._done = done

    def attach(self, device: HotplugDevice, read_error: object) -> None:
        """See Scripts."""
        self._done("run a script", {"command": " ".join(device.arguments(True)), **device.environment()})


class _UserDatas(UserDatas):
    """Files of domains, which are not written."""

    def __init__(self, done: Note) -> None:
        self._done = done

    def UserData(self, domid: Domid, uuid: str) -> UserData:
        """See UserDatas."""
        return _UserData(self._done, domid, uuid)


class _UserData(UserData):
    def __init__(self, done: Note, domid: Domid, uuid: str) -> None:
        super().__init__(domid, uuid)
        self._done = done

    def write(self, userid: str, data: bytes) -> None:
        """See UserData."""
        self._done("write a file", {"path": self.path("d", userid)})
