"""What a back end in domain 0, or in a driver domain, may do: `BackSide` of host.back, on the simulated hypervisor."""

from __future__ import annotations

from errno import EINVAL, EIO

from xenvm.errors import HypercallError
from xenvm.types import DOM0, Domid, Port

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.host.sim.domain import SimDomain
    from xenvm.host.sim.hypervisor import SimHypervisor


class Dom0:
    """One program of domain 0, or of another `domid`, with its own mappings and ports; `close` gives them all back."""

    def __init__(self, hyper: SimHypervisor, domid: Domid = DOM0) -> None:
        self._hyper, self._domid = hyper, domid
        self._mapped: dict[tuple[int, int], tuple[SimDomain, list[memoryview]]] = {}
        self._ports: set[int] = set()

    def fileno(self) -> int:
        """None: the world waits."""
        return -1

    def map_grant(self, domid: int, ref: int, readonly: bool = False) -> memoryview:
        """The 4096 bytes of a page that a guest has granted."""
        domain = self._hyper.all.get(Domid(domid))
        if domain is None or domain.dying:
            raise HypercallError("map_grant_ref", EIO, domid=domid, detail="no such domain")
        gfn = domain.grants.map(ref, self._domid, readonly).gfn
        if not domain.frames.covers(gfn, gfn + 1):
            domain.grants.unmap(ref)
            raise HypercallError("map_grant_ref", EIO, domid=domid, detail=f"frame {gfn:#x} is no RAM")
        self._hyper.hold(domain, 1)
        page = domain.ram.window(gfn, 1)
        view = page.toreadonly() if readonly else page
        self._mapped.setdefault((domid, ref), (domain, []))[1].append(view)
        return view

    def unmap_grant(self, domid: int, ref: int) -> None:
        """Gives a page back; its view is dead afterwards."""
        domain, views = self._mapped.get((domid, ref), (None, []))
        if domain is None:
            raise HypercallError("unmap_grant_ref", EINVAL, domid=domid, detail=f"reference {ref} is not mapped")
        view = views.pop()
        if not views:
            del self._mapped[domid, ref]
        try:
            view.release()
        except BufferError:
            pass  # slices of it are in use
        domain.grants.unmap(ref)
        self._hyper.let_go(domain, 1)

    def bind(self, domid: int, port: int) -> int:
        """A local port that is bound to a guest's."""
        local = self._hyper.channels.bind(self._domid, Domid(domid), Port(port))
        self._ports.add(local)
        return local

    def unbind(self, port: int) -> None:
        """Closes a local port."""
        self._ports.discard(port)
        self._hyper.channels.close(self._domid, Port(port))

    def notify(self, port: int) -> None:
        """Sends an event through a local port."""
        self._hyper.channels.notify(self._domid, Port(port))

    def pending(self) -> set[int]:
        """This program's ports that were notified since the last call."""
        return self._hyper.channels.take(self._domid, self._ports)

    def close(self) -> None:
        """The program ends: the kernel gives back what it held."""
        for domid, ref in [key for key, (_, views) in self._mapped.items() for _ in views]:
            self.unmap_grant(domid, ref)
        while self._ports:
            self.unbind(next(iter(self._ports)))
