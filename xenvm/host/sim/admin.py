"""The simulated Xen's security policy and overlays of its device tree (the rules of flask_op.h and dt_overlay)."""

from __future__ import annotations

from errno import EINVAL, ENOSYS, EOPNOTSUPP, ESRCH

from xenvm.errors import HypercallError
from xenvm.types import Domid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.host.sim.policy import PolicyOperations

_POLICY, _BLOB = b"\x8c\xff\x7c\xf9", b"\xd0\x0d\xfe\xed"
"""What a compiled policy, and a device tree blob, begin with."""
_ADDED, _ATTACHED = (4, 18), (4, 20)
"""The releases that began to add overlays, and to attach them."""


class Admin:
    """Implements xenvm.host.admin.XenControl."""

    def __init__(self, hyper: PolicyOperations) -> None:
        self._hyper = hyper

    def enforcing(self) -> bool:
        """Whether Flask forbids what its policy does not allow."""
        self._flask("getenforce")
        return self._hyper.enforcing

    def set_enforcing(self, on: bool) -> None:
        """Changes that."""
        self._flask("setenforce")
        self._hyper.enforcing = on

    def load_policy(self, policy: bytes) -> None:
        """Takes whatever begins as a policy does: nothing here obeys it."""
        self._flask("loadpolicy")
        if not policy.startswith(_POLICY):
            raise _refusal("loadpolicy", EINVAL, "it is no policy that this Xen understands")

    def label(self, ssidref: int) -> str:
        """The security label of this number."""
        self._flask("flask_op")
        labels = self._hyper.machine.labels
        if not 1 <= ssidref <= len(labels):
            raise _refusal("flask_op", EINVAL, "the security policy has no such label")
        return labels[ssidref - 1]

    def add_overlay(self, overlay: bytes) -> None:
        """Adds an overlay to the host's device tree."""
        self._overlays(_ADDED)
        if not overlay.startswith(_BLOB) or overlay.hex() in self._hyper.overlays:
            raise _unfit()
        self._hyper.overlays[overlay.hex()] = []

    def remove_overlay(self, overlay: bytes) -> None:
        """Takes an overlay out again, unless a domain has its devices."""
        self._overlays(_ADDED)
        owners = self._hyper.overlays.get(overlay.hex())
        if owners is None or any(Domid(domid) in self._hyper.all for domid in owners):
            raise _unfit()
        del self._hyper.overlays[overlay.hex()]

    def attach_overlay(self, domid: Domid, overlay: bytes) -> None:
        """Gives the devices of an overlay that was added to a domain."""
        self._overlays(_ATTACHED)
        if domid not in self._hyper.all:
            raise _refusal("dt_overlay", ESRCH, "no such domain", domid)
        owners = self._hyper.overlays.get(overlay.hex())
        if owners is None or owners:
            raise _unfit(domid)
        owners.append(domid)

    def _flask(self, name: str) -> None:
        if not self._hyper.machine.labels:
            raise _refusal(name, ENOSYS, "not built into this Xen")

    def _overlays(self, since: tuple[int, int]) -> None:
        if self._hyper.machine.xen < since:
            detail = "this Xen is older than overlays: 4.18 adds and removes them, 4.20 attaches them"
            raise _refusal("dt_overlay", ENOSYS, detail)
        if not self._hyper.machine.overlays:
            raise _refusal("dt_overlay", EOPNOTSUPP, "this Xen is built without overlays (CONFIG_OVERLAY_DTB)")


def _unfit(domid: Domid | None = None) -> HypercallError:
    return _refusal("dt_overlay", EINVAL, "the overlay does not fit, was not added, or its devices are in use", domid)


def _refusal(operation: str, errno: int, detail: str, domid: Domid | None = None) -> HypercallError:
    return HypercallError(operation, errno, domid=domid, detail=detail)
