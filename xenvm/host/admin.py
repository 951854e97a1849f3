"""The part of the Hypervisor contract about Xen itself: its security policy (public/xsm/flask_op.h) and the device tree
that it knows the host by (public/sysctl.h and domctl.h: dt_overlay). It stands apart, since few commands need it."""

from __future__ import annotations

from xenvm.types import Domid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object

LARGEST_POLICY, LARGEST_OVERLAY = 64 << 20, 512 << 10
"""Bytes; Xen takes no larger ones."""


class XenControl(Protocol):
    """Asks Xen about itself and changes it; failures are HypercallError with Xen's number."""

    def enforcing(self) -> bool:
        """Whether Flask forbids what its policy does not allow. ENOSYS: this Xen has no Flask, here and below."""

    def set_enforcing(self, on: bool) -> None:
        """Changes that; EINVAL: this Xen does not let it be changed."""

    def load_policy(self, policy: bytes) -> None:
        """Puts a compiled policy in the place of the one at work; EINVAL: it is none."""

    def label(self, ssidref: int) -> str:
        """The security label of this number, as domains have it; EINVAL: the policy has no such number."""

    def add_overlay(self, overlay: bytes) -> None:
        """Adds an overlay (a .dtbo file) to the host's device tree. ENOSYS, EOPNOTSUPP: this Xen has no overlays, here
        and below; EINVAL: the overlay does not fit."""

    def remove_overlay(self, overlay: bytes) -> None:
        """Takes an overlay out again, the same bytes; EINVAL: it was not added, or its devices are in use."""

    def attach_overlay(self, domid: Domid, overlay: bytes) -> None:
        """Gives the devices of an overlay that was added to a domain: their registers and interrupts."""
