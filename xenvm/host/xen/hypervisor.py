"""The real hypervisor: finds out which Xen runs, then speaks its release's structures."""

from __future__ import annotations

import os
from errno import EPERM

from xenvm.errors import HostError, HypercallError, UnsupportedError
from xenvm.host.hyper import XenVersion
from xenvm.host.xen.abi import layout_of, parse_release
from xenvm.host.xen.access import check_host
from xenvm.host.xen.calls import XEN_VERSION, Calls
from xenvm.host.xen.device import DeviceOperations
from xenvm.host.xen.host import version_texts
from xenvm.host.xen.memory import MemoryOperations
from xenvm.host.xen.operations import checked
from xenvm.host.xen.policy import PolicyOperations
from xenvm.types import DOM0

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.host.admin import XenControl
    from xenvm.host.pools import PoolControl


class XenHypervisor(PolicyOperations, MemoryOperations, DeviceOperations):
    """Xen on ARM, 4.14 to 4.22, from dom0; safe for threads."""

    version: XenVersion

    @classmethod
    def open(cls, abi: str | None = None) -> XenHypervisor:
        """Opens the host; HostError says what is in the way.

        `abi`, or else $XENVM_XEN_ABI, names a release whose structures to use instead of the running Xen's.
        """
        check_host()
        calls = Calls()
        try:
            return cls(calls, abi or os.environ.get("XENVM_XEN_ABI"))
        except BaseException:
            calls.close()
            raise

    def __init__(self, calls: Calls, abi: str | None = None) -> None:
        self.version = _version(calls)
        super().__init__(calls, layout_of(parse_release(abi) if abi else self.version.release))
        self._confirm()

    @property
    def pools(self) -> PoolControl:
        """What changes cpupools; few commands need it."""
        from xenvm.host.xen.pools import PoolOperations

        return PoolOperations(self._calls, self._layout)

    @property
    def admin(self) -> XenControl:
        """Xen's security policy and device tree; few commands need them."""
        from xenvm.host.xen.admin import AdminOperations

        return AdminOperations(self._calls, self._layout)

    def close(self) -> None:
        """Releases the host's handles."""
        if self._foreign_memory is not None:
            self._foreign_memory.close()
            self._foreign_memory = None
        self._calls.close()

    def _confirm(self) -> None:
        """Reads dom0's own state: proof of the rights, the interface number and the layouts."""
        try:
            dom0 = self.domain(DOM0)
        except HypercallError as error:
            if error.errno == EPERM:
                raise HostError("this domain is not dom0: Xen lets it control no other") from error
            raise
        if dom0 is None:
            raise UnsupportedError(f"Xen {self.version} does not answer as its release should: it shows no dom0")


def _version(calls: Calls) -> XenVersion:
    number = checked(calls.hypercall(XEN_VERSION, 0, 0), "xen_version")
    return XenVersion(number >> 16, number & 0xFFFF, *version_texts(calls, 1, 16))
