"""What the simulated hypervisor offers to the peers: a kernel's side of a domain; a back end's is that of host.back.

Each method is what one hypercall, or an access to memory, is to real software. Failures are HypercallError with Xen's
errno.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from xenvm.host.hyper import VcpuContext
    from xenvm.types import Domid, Gfn
else:
    Protocol = object

SHUTDOWN_POWEROFF, SHUTDOWN_REBOOT, SHUTDOWN_SUSPEND, SHUTDOWN_CRASH, SHUTDOWN_WATCHDOG = range(5)
"""Codes of SCHEDOP_shutdown (public/sched.h)."""


class GuestSide(Protocol):
    """What a kernel may do in its own domain."""

    domid: Domid

    def read(self, gpa: int, size: int) -> bytes:
        """A copy of guest memory; EFAULT where there is none."""

    def write(self, gpa: int, data: bytes) -> None:
        """Changes guest memory; EFAULT where there is none."""

    def page(self, gfn: Gfn) -> memoryview:
        """A page itself, writable, 4096 bytes: what is shared with a back end; EFAULT where there is none."""

    def entry(self) -> VcpuContext:
        """The registers that vCPU 0 starts with."""

    def param(self, index: int) -> int:
        """An HVM parameter, see xenvm.host.hyper.PARAM_*."""

    def shutdown(self, code: int) -> None:
        """Ends the domain, with one of SHUTDOWN_*; nothing of it runs any more."""

    def set_vcpu(self, vcpu: int, online: bool) -> None:
        """Starts or stops a vCPU, as PSCI's CPU_ON and CPU_OFF do."""

    def balloon(self, pages: int) -> int:
        """Asks for more pages, or gives back (a negative number); the change that was made, of the same sign."""

    def alloc_unbound(self, remote: int) -> int:
        """An event channel port that the domain `remote` can bind to."""

    def close_port(self, port: int) -> None:
        """Closes a port of this domain."""

    def notify(self, port: int) -> None:
        """Sends an event through a port of this domain."""

    def pending(self) -> set[int]:
        """The domain's ports that were notified since the last call."""

    def grant(self, gfn: int, to: int, readonly: bool = False) -> int:
        """A grant reference by which the domain `to` can map a page."""

    def end_grant(self, ref: int) -> bool:
        """Ends a grant; False, and nothing is changed, while somebody maps it."""


class Peer(Protocol):
    """Anything that runs beside the toolstack: a kernel, a back end, a daemon."""

    def step(self) -> bool:
        """Does what can be done now, without waiting; whether it did anything."""

    def due(self) -> float | None:
        """When step() has something to do although nothing happens, in seconds of the world's clock; None: never."""
