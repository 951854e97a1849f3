from __future__ import annotations

from errno import EACCES, EPERM, ESRCH
from struct import unpack_from

import pytest

from xenvm.errors import HypercallError
from xenvm.host.xen.abi import layout_of
from xenvm.host.xen.calls import DOMCTL
from xenvm.host.xen.hypervisor import XenHypervisor
from xenvm.host.xen.operations import Operations, checked

from .fake import FakeCalls, in_turn


def numbers(fake: FakeCalls) -> list[int]:
    return [unpack_from("<I", message, 4)[0] for _op, _cmd, message in fake.sent]


def test_the_neighbours_of_an_interface_number_are_tried_and_remembered(fake: FakeCalls) -> None:
    operations = Operations(fake, layout_of((4, 17)))
    fake.answers[DOMCTL, 3] = in_turn(-EACCES, -EACCES, 0, 0)
    operations._domctl("pausedomain", 3, 1)
    operations._domctl("pausedomain", 3, 1)
    assert numbers(fake) == [0x15, 0x16, 0x14, 0x14]


def test_a_policy_that_forbids_everything_is_reported(fake: FakeCalls) -> None:
    operations = Operations(fake, layout_of((4, 17)))
    fake.answers[DOMCTL, 3] = -EACCES
    with pytest.raises(HypercallError, match=r"pausedomain for domain 1: EACCES .*interface version"):
        operations._domctl("pausedomain", 3, 1)
    assert len(fake.sent) == 3


def test_another_refusal_is_final(fake: FakeCalls) -> None:
    operations = Operations(fake, layout_of((4, 17)))
    fake.answers[DOMCTL, 3] = -EPERM
    with pytest.raises(HypercallError):
        operations._domctl("pausedomain", 3, 1)
    assert numbers(fake) == [0x15]


@pytest.mark.parametrize("domid", [-1, 0x7FF0, 0x8000, 99999])
def test_numbers_that_no_domain_has_never_reach_xen(hyper: XenHypervisor, fake: FakeCalls, domid: int) -> None:
    with pytest.raises(HypercallError) as caught:
        hyper.destroy(domid)
    assert (caught.value.errno, caught.value.domid) == (ESRCH, domid)
    assert hyper.domain(domid) is None
    assert fake.sent == []


def test_checked() -> None:
    assert checked(7, "x") == 7
    with pytest.raises(HypercallError) as caught:
        checked(-EPERM, "createdomain", 5)
    assert str(caught.value) == "createdomain for domain 5: EPERM (this domain may not control others)"
    with pytest.raises(HypercallError, match="own words"):
        checked(-EPERM, "createdomain", detail="own words")
