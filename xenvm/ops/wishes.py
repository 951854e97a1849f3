"""The places in a creation where a guest's rarer wishes are granted; a plain guest has none."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from xenbus.request import Request
    from xenvm.guest.blueprint import Blueprint
    from xenvm.guest.nodes import Device
    from xenvm.host.open import Host
    from xenvm.types import Domid


class Wishes:
    """Those of a plain guest; :mod:`xenvm.ops.special` has the others."""

    ssidref = 0
    """The security label to be created with; 0: Xen's default."""

    def check(self, pool: int) -> None:
        """Refuses what this host, or the cpupool of this number, does not have."""

    def created(self, domid: Domid) -> None:
        """The domain is there, and nothing in it."""

    def prepared(self, domid: Domid) -> None:
        """It has vCPUs and limits, and no memory yet."""

    def populated(self, domid: Domid) -> None:
        """It has all its memory."""

    def devices(self, domid: Domid) -> list[Device]:
        """More devices for the store, which nobody waits for."""
        return []

    def before_introduction(self, domid: Domid) -> Iterable[Request]:
        """What the store must be told first."""
        return ()

    def after_introduction(self, domid: Domid) -> Iterable[Request]:
        """And then."""
        return ()

    def built(self, domid: Domid) -> None:
        """All is there but the start."""


def wishes_of(host: Host, plan: Blueprint) -> Wishes:
    """What to do for this guest, and when."""
    if plan.spec.is_plain:
        return Wishes()
    from xenvm.ops.special import Special

    return Special(host, plan)
