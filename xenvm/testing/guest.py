"""A guest of a test's host: what it looks like from outside, and what its console shows."""

from __future__ import annotations

import os

from xenvm.errors import HostError, NoSuchDomain
from xenvm.host.hyper import SHUTDOWN_REASONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.host.hyper import DomainInfo
    from xenvm.host.sim.consoled import GuestConsole
    from xenvm.host.sim.front import GuestFrontend
    from xenvm.testing.host import XenHost
    from xenvm.types import Domid


class Guest:
    """A domain by its domid; it may be gone, and then `exists` is False."""

    def __init__(self, host: XenHost, domid: Domid) -> None:
        self._host, self.domid = host, domid
        self.home = f"/local/domain/{domid}"
        """Its folder in the store."""
        self.name = host.read(f"{self.home}/name") or ""

    def __repr__(self) -> str:
        return f"Guest({self.name!r}, domid {self.domid})"

    # What it is.

    @property
    def info(self) -> DomainInfo:
        """What the hypervisor says. NoSuchDomain."""
        info = self._host.world.hyper.domain(self.domid)
        if info is None:
            raise NoSuchDomain(self.domid)
        return info

    @property
    def exists(self) -> bool:
        """Whether the hypervisor has the domain, up or down."""
        return self._host.world.hyper.domain(self.domid) is not None

    @property
    def down(self) -> str | None:
        """Why it has shut down: ``poweroff``, ``reboot``, ``suspend``, ``crash``, ``watchdog``; None while it is up."""
        code = self.info.shutdown_code
        return None if code is None else str(SHUTDOWN_REASONS[code])

    def read(self, path: str) -> str | None:
        """A node below its folder in the store."""
        return self._host.read(f"{self.home}/{path}")

    def write(self, path: str, value: str) -> None:
        """Writes such a node as the toolstack, and lets everybody act on it."""
        self._host.store.write(f"{self.home}/{path}", value)
        self._host.settle()

    def states(self) -> dict[str, str | None]:
        """The front end's state of each device: ``{"vbd/51712": "4"}``."""
        store, found = self._host.store, {}
        for kind in store.list_or_empty(f"{self.home}/device"):
            for number in filter(str.isdecimal, store.list_or_empty(f"{self.home}/device/{kind}")):
                found[f"{kind}/{number}"] = self.read(f"device/{kind}/{number}/state")
        return found

    def driver(self, device: str) -> GuestFrontend:
        """The guest's own driver of a device, such as ``vbd/51712``, once it has booted. NoSuchDomain, KeyError."""
        devices = getattr(self._host.world.kernels.get(self.domid), "devices", None)
        if devices is None:
            raise NoSuchDomain(self.domid)
        found: GuestFrontend = devices.ends[f"device/{device}"]
        return found

    # Its console.

    @property
    def console(self) -> str:
        """All that it has printed so far, from the first byte; also when it is gone."""
        path = os.path.join(self._host.world.files(), "console", f"guest-{self.name}.log")
        try:
            with open(path, encoding="utf-8", errors="replace", newline="") as file:
                return file.read().replace("\r\n", "\n")
        except FileNotFoundError:
            return ""

    def type(self, text: str) -> str:
        """Types at its console, and gives what it printed then: its shell has a few commands, see ``help``."""
        before = len(self.console)
        self._terminal().type(text.replace("\n", "\r").encode())
        self._host.settle()
        return self.console[before:]

    def _terminal(self) -> GuestConsole:
        for service in self._host.world.services:
            consoles = getattr(service, "consoles", {})
            if self.domid in consoles:
                found: GuestConsole = consoles[self.domid]
                return found
        raise HostError(f"domain {self.domid} has no console that is served")

    # What is done with it.

    def wait_up(self, seconds: float = 60.0) -> None:
        """Waits until it has booted, and all its devices are connected. WaitTimeout."""
        self._host.wait(self._is_up, f"domain {self.domid} up", seconds)

    def _is_up(self) -> bool:
        kernel = self._host.world.kernels.get(self.domid)
        return bool(getattr(kernel, "booted", kernel)) and set(self.states().values()) <= {"4"}

    def wait_down(self, seconds: float = 60.0) -> str | None:
        """Waits until it has shut down, or is gone; why it did. WaitTimeout."""
        self._host.wait(lambda: not self.exists or self.down, f"domain {self.domid} down", seconds)
        return self.down if self.exists else None

    def shutdown(self, seconds: float = 60.0) -> str | None:
        """Asks it to power off, and waits for that; why it is down. StoreTimeout if it does not listen, WaitTimeout."""
        from xenvm.ops.power import request

        request(self._host.host, [self.info], "poweroff", seconds=seconds)
        return self.wait_down(seconds)

    def destroy(self) -> list[str]:
        """Ends it; what could not be tidied up, a sentence each."""
        from xenvm.ops.destroy import destroy

        return destroy(self._host.host, self.domid, self.info.uuid)
