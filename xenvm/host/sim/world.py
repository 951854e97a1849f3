"""A whole simulated host: hypervisor, store, plumbing, the peers that live on it, and its clock.

Nothing happens by itself. Whoever waits for the store lets the peers run until all are quiet, and then time jumps to
what is due next: a guest that takes three seconds to boot takes no time at all.
"""

from __future__ import annotations

import os

from xenvm.errors import HostAtRest, HostError
from xenvm.host.sim.backside import Dom0
from xenvm.host.sim.behaviour import Behaviour
from xenvm.host.sim.faults import Annals, Faults
from xenvm.host.sim.guestside import Guest
from xenvm.host.sim.health import Health, Survey
from xenvm.host.sim.hypervisor import SimHypervisor
from xenvm.host.sim.machine import DEFAULT, Machine, machine_from
from xenvm.host.sim.memory import Ram
from xenvm.host.sim.plumbing import SimPlumbing
from xenvm.host.sim.store import Xenstored
from xenvm.host.sim.terminal import Terminals
from xenvm.types import Domid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from xenbus.client import Store
    from xenvm.host.sim.front import GuestFrontend
    from xenvm.host.sim.hypervisor import RamMaker
    from xenvm.host.sim.sides import Peer

    KernelMaker = Callable[["World", Domid, Any], Peer]
    """Makes the kernel of a domain; the last is what `state()` of an earlier one gave, or None: it boots."""
    ServiceMaker = Callable[["World", Any], Peer]
    """Makes something that runs in domain 0; the last as above."""

_PAUSE = 0.01
"""Seconds that a guest's request waits at least, if it has to."""
_MOST_ROUNDS = 100_000
"""Rounds of peers after which they will never be quiet."""


def _in_memory(_domid: Domid, _written: object) -> Ram:
    return Ram()


class World:
    """One simulated host; for one thread, apart from SimHypervisor.fill."""

    drivers: Mapping[str, type[GuestFrontend]] = {}
    """Drivers of front ends that kernels get instead of their own, by kind of device."""

    def __init__(
        self,
        machine: Machine = DEFAULT,
        *,
        kernel: KernelMaker | None = None,
        services: Sequence[ServiceMaker] | None = None,
        ram: RamMaker = _in_memory,
        files: Callable[[], str] | None = None,
        state: dict[str, Any] | None = None,
    ) -> None:
        """`files` gives the folder for files, temporary ones if it is None; `state`: that of an earlier world."""
        from xenvm.host.sim import peers

        self.now = 0.0 if state is None else float(state["now"])
        self.hyper = SimHypervisor(machine, ram)
        self.xenstored = Xenstored(self.hyper, self.clock, self._wake)
        self.faults, self.annals = Faults(), Annals(self.clock)
        self.store = self.client()
        """A connection of domain 0 whose waits let the world go on."""
        self.files = files or self._temporary
        """Gives the folder where this world's files lie."""
        self.behaviour = Behaviour()
        """How guests behave that start from now on."""
        self.plumbing = SimPlumbing(lambda: self.store, self.clock, self._userdata, machine.bridges, self.consoles)
        self.plumbing.bridge.wait = self.idle
        self._connect()
        self.kernels: dict[Domid, Peer] = {}
        self._ready: dict[Domid, None] = {}
        """Those that may have something to do; the others sleep, however many there are."""
        self._alarms: dict[Domid, float] = {}
        """When those wake up that wait for a time."""
        self._new_kernel = peers.kernel if kernel is None else kernel
        self._makers = peers.SERVICES if services is None else services
        self._settling = False
        self._folder = ""
        self.services: list[Peer] = []
        self._begin(state)

    def _begin(self, state: dict[str, Any] | None) -> None:
        """Anew, or where an earlier world was."""
        if state is None:
            self._found()
        else:
            self._restore(state)
        kept = state["services"] if state else []
        for number, maker in enumerate(self._makers):
            self.services.append(maker(self, kept[number] if number < len(kept) else None))
        self.settle()  # who comes to a host finds its drivers at work

    def _connect(self) -> None:
        """The parts to each other."""
        self.hyper.on_run, self.hyper.on_death = self._run, self._death
        self.hyper.channels.on_event = self._wake
        self.plumbing.bridge.gone = lambda: self.faults.bridges
        self.xenstored.engine.on_commit = self.annals.note
        self.plumbing.health = Health(self.plumbing.bridge, self.faults)
        self.plumbing.survey = Survey(self._userdata, self.plumbing.health)
        self.plumbing.console = Terminals(self)

    # For peers.

    def clock(self) -> float:
        """The world's time in seconds, which jumps."""
        return self.now

    def client(self, domid: int = 0) -> Store:
        """A connection to the store whose waits let the world go on."""
        return self.xenstored.connect(domid, self.idle)

    def peer_client(self, domid: int = 0) -> Store:
        """A connection for a peer, which never waits: what is not there yet comes with a later step."""
        return self.xenstored.connect(domid, self._patience)

    def guest_client(self, domid: Domid) -> Store:
        """A kernel's connection, over the ring that was introduced."""
        return self.xenstored.guest(self.guest_side(domid), self._patience)

    def _patience(self, left: float | None) -> None:
        """A peer's request is not served yet: others must take their events, or a little time must pass."""
        self.xenstored.deliver()
        self.now += _PAUSE if left is None else min(left, _PAUSE)

    def guest_side(self, domid: Domid) -> Guest:
        """What the kernel of a domain may do."""
        return Guest(self.hyper, domid)

    def back_side(self) -> Dom0:
        """What a program of domain 0 may do; each has one of its own."""
        return Dom0(self.hyper)

    # Time.

    def settle(self) -> bool:
        """Steps the peers until all are quiet; whether anything was done."""
        if self._settling:
            return False
        self._settling, done = True, False
        try:
            for _ in range(_MOST_ROUNDS):
                if not self._round():
                    return done
                done = True
        finally:
            self._settling = False
        raise HostError("the peers of the simulated host never come to rest")

    def idle(self, left: float | None) -> None:
        """Lets the peers run, or time pass (up to `left` seconds) where they have nothing to do.

        HostAtRest when there is no limit, and nothing will ever happen.
        """
        if self.settle():
            return
        times = self._due()
        if left:
            times.append(self.now + left)
        if not times and left is None:
            raise HostAtRest("nothing more will ever happen on this simulated host")
        self.now = min(times, default=self.now)
        for domid, at in self._alarms.items():
            if at <= self.now:
                self._wake(domid)

    def at_rest(self) -> bool:
        """Whether nothing more will ever happen by itself."""
        return not self.settle() and not self._due()

    def _due(self) -> list[float]:
        """When somebody has something to do although nothing happens."""
        times = [at for service in self.services if (at := service.due()) is not None]
        times += [at for domid, at in self._alarms.items() if self.hyper.all[domid].runs]
        # What was due before now has had its turn, and did nothing with it.
        return [at for at in times if at > self.now]

    def advance(self, seconds: float) -> None:
        """Lets so much time pass, and all that happens in it."""
        end = self.now + seconds
        while self.now < end:
            self.idle(end - self.now)
        self.settle()

    def _round(self) -> bool:
        """One step of all that are awake; whether any did something."""
        busy = self.xenstored.step()
        for service in self.services:
            busy |= service.step()
        ready, self._ready = self._ready, {}
        for domid in ready:
            # One that is paused or down is woken when it goes on.
            if domid in self.kernels and self.hyper.all[domid].runs:
                busy |= self._step(domid, self.kernels[domid])
        return busy

    def _step(self, domid: Domid, kernel: Peer) -> bool:
        busy, due = kernel.step(), kernel.due()
        if due is not None and domid in self.kernels:
            self._alarms[domid] = due
        else:
            self._alarms.pop(domid, None)
        if busy:
            self._wake(domid)
        return busy

    def _wake(self, domid: Domid) -> None:
        if domid in self.kernels:
            self._ready[domid] = None

    # What the hypervisor and the store tell.

    def _run(self, domid: Domid) -> None:
        if domid not in self.kernels:
            self.kernels[domid] = self._new_kernel(self, domid, None)
        self._wake(domid)

    def _death(self, domid: Domid) -> None:
        domain = self.hyper.all.get(domid)
        if domain is not None and not domain.dying:
            self.xenstored.engine.shut_down(domid)
            return
        for table in (self.kernels, self._ready, self._alarms):
            table.pop(domid, None)
        self.xenstored.engine.release(domid)

    # Beginning, end, and between processes.

    def _found(self) -> None:
        """What a host's own services write when it starts."""
        for path, value in (
            ("/local/domain/0/name", "Domain-0"),
            ("/local/domain/0/domid", "0"),
            *((f"/local/pool/{number}/name", f"Pool-{number}") for number in self.hyper.cpupools()),
        ):
            self.store.write(path, value)

    def consoles(self) -> str:
        """The folder of the console daemon's logs."""
        return os.path.join(self.files(), "console")

    def _userdata(self) -> str:
        path = os.path.join(self.files(), "userdata")
        if not os.path.isdir(path):
            os.makedirs(path, mode=0o700, exist_ok=True)
        return path

    def _temporary(self) -> str:
        if not self._folder:
            from tempfile import mkdtemp

            self._folder = mkdtemp(prefix="xenvm-sim-")
        return self._folder

    def close(self) -> None:
        """The end of this world: its memory and its temporary files go."""
        for service in self.services:
            close = getattr(service, "close", None)
            if callable(close):
                close()
        self.store.close()
        for domain in self.hyper.all.values():
            domain.ram.release()
        self.hyper.images.close()
        if self._folder:
            from shutil import rmtree

            rmtree(self._folder, ignore_errors=True)

    def state(self) -> dict[str, Any]:
        """All of it but the guests' memory, as JSON has it."""
        self.settle()
        return {
            "machine": self.hyper.machine.as_dict(),
            "now": self.now,
            "kernels": {str(domid): _state_of(kernel) for domid, kernel in self.kernels.items()},
            "services": [_state_of(service) for service in self.services],
            "plumbing": self.plumbing.state(),
            "faults": self.faults.state(),
            "states": dict(self.annals.states),
            "store": self.xenstored.state(),
            "hyper": self.hyper.state(),
        }

    def _restore(self, state: dict[str, Any]) -> None:
        self.hyper.restore(state["hyper"])
        down = [domid for domid, domain in self.hyper.all.items() if domain.code is not None]
        self.xenstored.restore(state["store"], down)
        self.plumbing.restore(state["plumbing"])
        self.faults.restore(state.get("faults", ((), ())))
        self.annals.restore(state.get("states", {}))
        for text, kept in state["kernels"].items():
            domid = Domid(int(text))
            if domid in self.hyper.all:
                self.kernels[domid] = self._new_kernel(self, domid, kept)
                self._wake(domid)


def world_from(state: dict[str, Any], *, ram: RamMaker = _in_memory, files: Callable[[], str] | None = None) -> World:
    """The world that `World.state` told of; XenvmError where that makes no sense."""
    try:
        return World(machine_from(state["machine"]), ram=ram, files=files, state=state)
    except HostError:
        raise
    except Exception as error:  # whatever a file can say that is not true
        raise HostError(f"the simulated host cannot be taken up again: {error!r}") from error


def _state_of(peer: Peer) -> Any:
    state = getattr(peer, "state", None)
    return state() if callable(state) else None
