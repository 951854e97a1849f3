"""What ties a domain to devices in the simulated Xen: event channels, parameters, UART, passthrough."""

from __future__ import annotations

from errno import EBUSY, EINVAL, ENOBUFS, EOPNOTSUPP, EPERM, ESRCH

from xenvm.errors import HypercallError
from xenvm.host import hyper
from xenvm.host.sim.life import DomainOperations
from xenvm.types import PAGE_SIZE, Domid, Gfn, Port

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from xenvm.host.sim.domain import SimDomain

_FIRST_SPI = _VUART_SPI = 32
_PARAMS = (
    *(hyper.PARAM_CALLBACK_IRQ, hyper.PARAM_STORE_PFN, hyper.PARAM_STORE_EVTCHN),
    *(hyper.PARAM_CONSOLE_PFN, hyper.PARAM_CONSOLE_EVTCHN, hyper.PARAM_MONITOR_RING_PFN),
)
"""The only parameters that there are on ARM."""


class DeviceOperations(DomainOperations):
    """Event channels and everything that comes with devices."""

    def alloc_unbound(self, domid: Domid, remote: Domid) -> Port:
        """A port in `domid` that `remote` can bind to."""
        for who in (domid, remote):
            if self._get("alloc_unbound", who).dying:
                raise HypercallError("alloc_unbound", EINVAL, domid=who, detail="the domain is dead")
        return self.channels.alloc_unbound(domid, remote)

    def set_params(self, domid: Domid, params: Mapping[int, int]) -> None:
        """Writes HVM parameters, in order."""
        for index, value in params.items():
            domain = self._with_param(f"set_param {index}", domid, index)
            if domid == 0:
                raise HypercallError(f"set_param {index}", EPERM, domid=domid)
            domain.params[index] = value

    def get_param(self, domid: Domid, index: int) -> int:
        """Reads one HVM parameter."""
        return self._with_param("get_param", domid, index).params.get(index, 0)

    def _with_param(self, operation: str, domid: Domid, index: int) -> SimDomain:
        domain = self._get(operation, domid)
        if index not in _PARAMS:
            raise HypercallError(operation, EINVAL, domid=domid, detail="ARM has no such parameter")
        return domain

    def init_vuart(self, domid: Domid, gfn: Gfn, console: Domid) -> Port:
        """Makes an SBSA UART whose ring is page `gfn`; before the first unpause. It takes SPI 32."""
        domain = self._get("vuart_op", domid)
        if domain.started:
            raise HypercallError("vuart_op", EPERM, domid=domid, detail="the domain has run already")
        if domain.vuart or not domain.nr_spis or not domain.frames.covers(gfn, gfn + 1):
            detail = "the domain has an UART already, or no interrupt or page for one"
            raise HypercallError("vuart_op", EINVAL, domid=domid, detail=detail)
        port = self.channels.alloc_unbound(domid, console)
        domain.vuart = True
        domain.irqs.add(_VUART_SPI)
        return port

    def bind_irq(self, domid: Domid, irq: int) -> None:
        """Routes a host SPI to the same number in the domain."""
        domain = self._get("bind_pt_irq", domid)
        if irq not in self.machine.irqs:
            detail = "dom0 itself has no access to this interrupt"
            raise HypercallError("bind_pt_irq", EPERM, domid=domid, detail=detail)
        if irq < _FIRST_SPI:
            raise HypercallError("bind_pt_irq", EINVAL, domid=domid, detail="not a shared peripheral interrupt")
        if irq >= _FIRST_SPI + domain.nr_spis or any(irq in other.irqs for other in self.all.values()):
            detail = "the interrupt is in use, or not below 32 + nr_spis"
            raise HypercallError("bind_pt_irq", EBUSY, domid=domid, detail=detail)
        domain.irqs.add(irq)

    def assign_dt_device(self, domid: Domid, path: str) -> None:
        """Puts a device of the host's device tree behind the domain's IOMMU context."""
        domain = self._get("assign_device", domid)
        if len(path.encode()) >= PAGE_SIZE:
            raise HypercallError("assign_device", ENOBUFS, domid=domid, detail="the path is longer than a page")
        if not self.machine.iommu:
            raise HypercallError("assign_device", EOPNOTSUPP, domid=domid, detail="Xen drives no IOMMU on this host")
        if path not in self.machine.dt_devices:
            detail = "the host's device tree has no such node"
            raise HypercallError("assign_device", ESRCH, domid=domid, detail=detail)
        if not domain.request.iommu:
            detail = "the domain was created without passthrough"
            raise HypercallError("assign_device", EINVAL, domid=domid, detail=detail)
        if any(path in other.devices for other in self.all.values()):
            raise HypercallError("assign_device", EBUSY, domid=domid, detail="the device is in use")
        domain.devices.append(path)
