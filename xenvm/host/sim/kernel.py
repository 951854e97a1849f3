"""A simulated kernel: boots from what the toolstack put into guest memory, and behaves like Linux on Xen.

It needs nothing but its side of the hypervisor and a connection to the store as its own domain.
"""

from __future__ import annotations

from xenbus.errors import StoreClosed, XenbusError
from xenbus.watcher import Watcher
from xenvm.errors import HypercallError
from xenvm.host.sim import sides
from xenvm.host.sim.behaviour import Behaviour, behaviour_of
from xenvm.host.sim.boot import BootInfo, Panic, boot_log, info_from, look_around
from xenvm.host.sim.control import Control
from xenvm.host.sim.guest_devices import DRIVERS, GuestDevices
from xenvm.host.sim.hvc import Console
from xenvm.host.sim.shell import PROMPT, Shell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from xenbus.client import Store
    from xenvm.host.sim.front_block import BlockFront
    from xenvm.host.sim.front_net import NetFront
    from xenvm.host.sim.sides import GuestSide

CLOSE_SECONDS = 5.0
"""How long a guest that goes down waits for its devices to close."""
LAST_WORDS_SECONDS = 1.0
"""How long it waits for the console's daemon to take its last words."""
WELL_BEHAVED = Behaviour()

_ENDINGS = {
    "poweroff": (sides.SHUTDOWN_POWEROFF, "Power down"),
    "halt": (sides.SHUTDOWN_POWEROFF, "Power down"),
    "reboot": (sides.SHUTDOWN_REBOOT, "Restarting system"),
}


class _Ending:
    """How the domain will end: not before its devices are closed, if `orderly`, but not after the deadline."""

    def __init__(self, code: int, deadline: float, orderly: bool) -> None:
        self.code, self.deadline, self.orderly = code, deadline, orderly


class Kernel:
    """One guest's kernel. step() is called only while the domain is neither paused nor shut down."""

    console: Console
    info: BootInfo

    def __init__(
        self,
        side: GuestSide,
        connect: Callable[[], Store],
        clock: Callable[[], float],
        behaviour: Behaviour = WELL_BEHAVED,
    ) -> None:
        self.side, self.behaviour = side, behaviour
        self.booted = self.ended = False
        self.online: set[int] = {0}
        """vCPUs that run."""
        self.pages_owned = 0
        """Pages of RAM, without those that the balloon has given back."""
        self.drivers = DRIVERS
        """Its drivers of front ends, by kind of device."""
        self.devices: GuestDevices | None = None
        self._control: Control | None = None
        self._connect, self._clock = connect, clock
        self._shell = Shell(self)
        self._fired: set[int] = set()
        self._start_time = 0.0
        self._due: float | None = None
        self._ending: _Ending | None = None
        self._looked = False
        self._defect: Panic | None = None

    # What it is, for tests and for its own parts.

    @property
    def disks(self) -> dict[str, BlockFront]:
        """Block front ends by device id."""
        return self.devices.disks if self.devices else {}

    @property
    def nics(self) -> dict[str, NetFront]:
        """Network front ends by device id."""
        return self.devices.nics if self.devices else {}

    @property
    def is_ending(self) -> bool:
        """Whether it goes down already."""
        return self._ending is not None

    def pages_in_use(self) -> int:
        """The first page behind all that the kernel needs."""
        return self.devices.pages.needed() if self.devices else 0

    def log(self, message: str) -> None:
        """Prints a line of the kernel's log."""
        self.console.print(f"[{self._clock() - self._start_time:12.6f}] {message}\n")

    def set_vcpu(self, vcpu: int, online: bool) -> None:
        """Starts or stops a vCPU; vCPU 0 always runs."""
        if vcpu and online != (vcpu in self.online):
            self.side.set_vcpu(vcpu, online)
            (self.online.add if online else self.online.discard)(vcpu)
            self.log(f"CPU{vcpu}: {'booted secondary processor' if online else 'shutdown'}")

    # How it ends.

    def go_down(self, how: str) -> str:
        """Begins poweroff, halt or reboot: the devices are closed first, for some seconds at most."""
        if self._ending is None:
            code, message = _ENDINGS[how]
            self.log(f"reboot: {message}")
            self._ending = _Ending(code, self._clock() + CLOSE_SECONDS, orderly=True)
            if self.devices:
                self.devices.shut_down()
        return ""

    def end_now(self, code: int) -> str:
        """Ends without a word to the devices."""
        self._ending = _Ending(code, self._clock() + LAST_WORDS_SECONDS, orderly=False)
        return ""

    def panic(self, why: str) -> str:
        """Says why on the console, and ends with the code of a crash."""
        self.log(f"Kernel panic - not syncing: {why}")
        self.log(f"---[ end Kernel panic - not syncing: {why} ]---")
        return self.end_now(sides.SHUTDOWN_CRASH)

    # What makes it run.

    def due(self) -> float | None:
        """See Peer."""
        return self._due if self._ending is None else self._ending.deadline

    def step(self) -> bool:
        """See Peer."""
        try:
            self._look()
            if self.behaviour.dead or self.ended or self._too_early():
                return False
            return self._run() if self.booted else self._boot()
        except StoreClosed:
            self.ended = True  # The domain has been taken down under it.
        except HypercallError as error:
            self._oops(error)
        return True

    def _oops(self, error: HypercallError) -> None:
        """Xen has refused what a kernel cannot do without."""
        if self.is_ending or not self.booted:
            self.ended = True
        else:
            self.panic(f"Oops: {error}")

    def _look(self) -> None:
        """Finds out once what was loaded, and how to behave."""
        if self._looked:
            return
        self._looked = True
        try:
            self.info = look_around(self.side)
            self.behaviour = behaviour_of(self.info.bootargs, self.behaviour)
        except Panic as error:
            self._defect = error

    def _too_early(self) -> bool:
        """Whether a slow guest lets things wait."""
        if not self.behaviour.delay or self._ending is not None:
            return False
        now = self._clock()
        if self._due is None and self._has_news():
            self._due = now + self.behaviour.delay
        if self._due is None or now < self._due:
            return True
        self._due = None
        return False

    def _has_news(self) -> bool:
        if self.devices is None:
            return not self.booted
        self._fired |= self.side.pending()
        return bool(self._fired) or self.devices.watcher.has_events()

    def _boot(self) -> bool:
        self.console = Console(self.side)
        self.booted, self._start_time = True, self._clock()
        try:
            if self._defect:
                raise self._defect
            for line in boot_log(self.info):
                self.log(line)
            if self.behaviour.crash_at_boot:
                raise Panic("Attempted to kill init! exitcode=0x00000100")
            self._start()
        except Panic as error:
            self.panic(str(error))
        return True

    def _start(self) -> None:
        self.pages_owned = self.info.pages
        for vcpu in range(1, len(self.info.cpus)):
            self.side.set_vcpu(vcpu, True)
            self.online.add(vcpu)
        self.log(f"smp: Brought up 1 node, {len(self.info.cpus)} CPUs")
        self._attach().announce()
        self.console.print(f"\n{PROMPT}")

    def _attach(self) -> Control:
        """Connects to the store and watches what concerns it."""
        watcher = Watcher(self._connect())
        self.devices = GuestDevices(self, watcher)
        self._control = Control(self, watcher)
        return self._control

    def _run(self) -> bool:
        fired, self._fired = self._fired | self.side.pending(), set()
        moved = self._devices_run(fired)
        if self.console.pending:
            moved |= self.console.flush()
        if self.console.port in fired and (typed := self.console.read()):
            self.console.print(self._shell.feed(typed))
            moved = True
        return self._end() or moved

    def _devices_run(self, fired: set[int]) -> bool:
        try:
            return self.devices.step(fired) if self.devices else False
        except StoreClosed:
            raise
        except XenbusError as error:
            self.log(f"xenbus: {error}")
            return True

    def _end(self) -> bool:
        """Ends the domain once its devices are closed and its last words are taken, or time is up."""
        ending = self._ending
        if ending is None or (self._clock() < ending.deadline and self._has_to_wait(ending)):
            return False
        self._ending = None
        # A suspended guest comes back; it is stepped again when its domain has been resumed.
        self.ended = ending.code != sides.SHUTDOWN_SUSPEND
        self.side.shutdown(ending.code)
        return True

    def _has_to_wait(self, ending: _Ending) -> bool:
        devices_open = ending.orderly and self.devices is not None and not self.devices.all_closed()
        return devices_open or bool(self.console.pending)

    # Snapshots: between two commands the world is a file.

    def state(self) -> dict[str, Any]:
        """What restore() takes, as plain values; nothing may be under way."""
        ending = self._ending and [self._ending.code, self._ending.deadline, self._ending.orderly]
        mine: dict[str, Any] = {
            "behaviour": self.behaviour.as_dict(),
            "booted": self.booted,
            "ended": self.ended,
            "ending": ending,
            "online": sorted(self.online),
            "pages": self.pages_owned,
            "start": self._start_time,
        }
        if not self.booted:
            return mine
        mine["console"] = self.console.pending.decode("latin-1")
        if self.devices and self._control and not self.ended:
            mine["devices"], mine["control"] = self.devices.state(), self._control.state()
            mine["info"] = self.info.as_dict()
        return mine

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on where another object stood, in the same domain."""
        self.booted, self.ended, self.pages_owned = state["booted"], state["ended"], state["pages"]
        self.online, self.behaviour = set(state["online"]), Behaviour(**state["behaviour"])
        self._start_time = state["start"]
        self._ending = _Ending(*state["ending"]) if state["ending"] else None
        self._looked = self.booted
        if not self.booted:
            return
        self.console = Console(self.side)
        self.console.pending += state["console"].encode("latin-1")
        self._fired = {self.console.port}
        if "devices" in state:
            self.info = info_from(state["info"])
            self._attach().restore(state["control"])
            assert self.devices is not None
            self.devices.restore(state["devices"])
