"""The rarer operations of the tests' hypervisor: schedulers, cache colors, labels, claims."""

from __future__ import annotations

from errno import ENOSYS
from typing import Any

from xenvm.errors import HypercallError
from xenvm.host.admin import XenControl
from xenvm.host.hyper import Scheduling
from xenvm.host.pools import PoolControl
from xenvm.types import Domid


class FakePolicy:
    """Writes the calls down, and knows of no limits."""

    has_flask = False

    def _enter(self, operation: str, *arguments: object) -> None:
        raise AssertionError("the hypervisor's own")

    def _on(self, operation: str, domid: Domid, *arguments: object) -> Any:
        raise AssertionError("the hypervisor's own")

    def pool_scheduler(self, pool: int) -> str:
        self._enter("pool_scheduler", pool)
        return "credit2"

    @property
    def pools(self) -> PoolControl:
        raise AssertionError("the simulated hypervisor has them")

    @property
    def admin(self) -> XenControl:
        raise HypercallError("flask_op", ENOSYS)

    def scheduling(self, domid: Domid) -> Scheduling:
        self._on("scheduling", domid)
        return Scheduling(weight=256, cap=0)

    def set_scheduling(self, domid: Domid, wanted: Scheduling) -> None:
        given = [f"{key}={value}" for key, value in wanted.as_dict().items() if value is not None]
        self._on("set_scheduling", domid, *given)

    def set_llc_colors(self, domid: Domid, colors: tuple[int, ...]) -> None:
        self._on("set_llc_colors", domid, *colors)

    def security_id(self, label: str) -> int:
        self._enter("security_id", label)
        if not self.has_flask:
            raise HypercallError("flask_op", ENOSYS)
        return 7

    def relabel(self, domid: Domid, ssidref: int) -> None:
        self._on("relabel", domid, ssidref)

    def claim(self, domid: Domid, pages: int) -> None:
        self._on("claim", domid, pages)
