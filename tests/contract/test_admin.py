"""What every hypervisor answers about its security policy and its device tree; errors are Xen's numbers.

No host that the tests know has Flask or overlays: what is common is how they are refused.
"""

from __future__ import annotations

from errno import ENOSYS, EOPNOTSUPP

from tests.contract.conftest import Guests
from tests.contract.refusals import refused
from xenvm.host.hyper import Hypervisor


def test_no_flask(hyper: Hypervisor) -> None:
    refused(ENOSYS, hyper.admin.enforcing)
    refused(ENOSYS, hyper.admin.set_enforcing, True)
    refused(ENOSYS, hyper.admin.load_policy, b"no policy")
    refused(ENOSYS, hyper.admin.label, 1)


def test_no_overlays(hyper: Hypervisor, guests: Guests) -> None:
    old = hyper.version.release < (4, 18)
    refused(ENOSYS if old else EOPNOTSUPP, hyper.admin.add_overlay, b"no overlay")
    refused(ENOSYS if old else EOPNOTSUPP, hyper.admin.remove_overlay, b"no overlay")
    older = hyper.version.release < (4, 20)
    refused(ENOSYS if older else EOPNOTSUPP, hyper.admin.attach_overlay, guests.create(), b"no overlay")
