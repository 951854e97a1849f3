"""What rules a domain: its scheduler's parameters, its share of the cache, its label (domctl.h, xsm/flask_op.h)."""

from __future__ import annotations

from errno import EINVAL, ENOENT
from struct import pack, unpack_from

from xenvm.errors import HypercallError
from xenvm.host.hyper import Scheduling
from xenvm.host.xen.buffers import DATA, DATA_SIZE
from xenvm.host.xen.calls import XSM_OP
from xenvm.host.xen.domain import DomainOperations
from xenvm.host.xen.host import SCHEDULERS
from xenvm.host.xen.operations import checked
from xenvm.types import Domid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.host.xen.buffers import Buffer

_SCHEDULER_OP, _SET_LLC_COLORS = 16, 89
_PUT, _GET = 0, 1
_PARAMS = 0x18
"""Offset of the scheduler's own part in a scheduler_op."""
_SHAPES = {"credit": "<HH", "credit2": "<HH", "rtds": "<III"}
_WIDEST = {"credit": 0xFFFF, "credit2": 0xFFFF, "rtds": 0xFFFFFFFF}
_EXTRATIME = 1
_FLASK_VERSION, _CONTEXT_TO_SID, _RELABEL_DOMAIN = 1, 4, 24
_LONGEST_LABEL = 1024


class PolicyOperations(DomainOperations):
    """Scheduling, cache colors and security labels."""

    def scheduling(self, domid: Domid) -> Scheduling:
        """A domain's parameters for its scheduler; all None if it has none. rtds tells its defaults."""
        number, name = self._scheduler_of(domid)
        with self._calls.buffer() as buffer:
            return self._read_scheduling(domid, number, name, buffer)

    def set_scheduling(self, domid: Domid, wanted: Scheduling) -> None:
        """Changes what is not None; EINVAL if the domain's scheduler has no such parameter, or refuses the value."""
        number, name = self._scheduler_of(domid)
        with self._calls.buffer() as buffer:
            now = self._read_scheduling(domid, number, name, buffer)
            after = {key: value for key, value in wanted.as_dict().items() if value is not None}
            if any(getattr(now, key) is None or not 0 <= after[key] <= _WIDEST[name] for key in after):
                detail = f"{name} has no such parameter, or not of this size"
                raise HypercallError("scheduler_op", EINVAL, domid=domid, detail=detail)
            body = pack("<II", number, _PUT) + _packed(name, now.replace(**after))
            self._domctl("scheduler_op", _SCHEDULER_OP, domid, body, buffer)

    def _read_scheduling(self, domid: Domid, number: int, name: str, buffer: Buffer) -> Scheduling:
        if name not in _SHAPES:
            return Scheduling()
        self._domctl("scheduler_op", _SCHEDULER_OP, domid, pack("<II", number, _GET), buffer)
        found = unpack_from(_SHAPES[name], buffer.view, _PARAMS)
        if name == "rtds":
            return Scheduling(period=found[0], budget=found[1], extratime=bool(found[2] & _EXTRATIME))
        return Scheduling(weight=found[0], cap=found[1])

    def _scheduler_of(self, domid: Domid) -> tuple[int, str]:
        """Xen takes the parameters only together with the number of the scheduler that they are for."""
        info = self.domain(domid)
        pool = info.cpupool if info else 0
        name = self.pool_scheduler(pool)
        return next((number for number, known in SCHEDULERS.items() if known == name), 0), name

    def pool_scheduler(self, pool: int) -> str:
        """Name of a cpupool's scheduler; ENOENT if there is no such pool."""
        found, scheduler = self._pool_scheduler(pool)
        if found != pool:
            raise HypercallError("cpupool_info", ENOENT, detail=f"there is no cpupool {pool}")
        return SCHEDULERS.get(scheduler, f"scheduler {scheduler}")

    def set_llc_colors(self, domid: Domid, colors: tuple[int, ...]) -> None:
        """Which parts of the last-level cache its memory may use; before the first page. EOPNOTSUPP: no coloring."""
        if len(colors) > DATA_SIZE // 4:
            raise HypercallError("set_llc_colors", EINVAL, domid=domid, detail="more colors than any cache has")
        with self._calls.buffer() as buffer:
            array = buffer.put(pack(f"<{len(colors)}I", *colors), DATA)
            self._domctl("set_llc_colors", _SET_LLC_COLORS, domid, pack("<IIQ", len(colors), 0, array), buffer)

    def security_id(self, label: str) -> int:
        """The number of a security label. ENOSYS: this Xen has no Flask; EINVAL: its policy has no such label."""
        text = label.encode("utf-8", "surrogateescape") + b"\0"
        if len(text) > _LONGEST_LABEL:
            raise HypercallError("flask_op", EINVAL, detail="the label is too long")
        with self._calls.buffer() as buffer:
            context = buffer.put(text, DATA)
            argument = buffer.put(
                pack("<IIIIQ", _CONTEXT_TO_SID, _FLASK_VERSION, 0, len(text), context).ljust(64, b"\0")
            )
            checked(self._calls.hypercall(XSM_OP, argument), "flask_op")
            (number,) = unpack_from("<I", buffer.view, 8)
        return int(number)

    def relabel(self, domid: Domid, ssidref: int) -> None:
        """Gives a domain another security label."""
        with self._calls.buffer() as buffer:
            body = pack("<IIII", _RELABEL_DOMAIN, _FLASK_VERSION, domid, ssidref).ljust(64, b"\0")
            checked(self._calls.hypercall(XSM_OP, buffer.put(body)), "flask_op", domid)


def _packed(name: str, wanted: Scheduling) -> bytes:
    if name == "rtds":
        return pack(_SHAPES[name], wanted.period, wanted.budget, _EXTRATIME if wanted.extratime else 0)
    return pack(_SHAPES[name], wanted.weight, wanted.cap) if name in _SHAPES else b""
