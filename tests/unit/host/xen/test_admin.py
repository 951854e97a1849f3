from __future__ import annotations

from collections.abc import Callable
from errno import E2BIG, EINVAL, ENOSYS, EOPNOTSUPP
from struct import unpack_from

import pytest

from xenvm.errors import HypercallError
from xenvm.host.admin import XenControl
from xenvm.host.xen.buffers import DATA
from xenvm.host.xen.calls import DOMCTL, SYSCTL, XSM_OP
from xenvm.host.xen.hypervisor import XenHypervisor

from .fake import FakeCalls
from .test_policy import GUEST

OVERLAY, ATTACH = (SYSCTL, 30), (DOMCTL, 87)
LARGE = bytes(range(256)) * 1000


def test_the_mode(hyper: XenHypervisor, fake: FakeCalls) -> None:
    fake.answers[XSM_OP, 2] = 1
    assert hyper.admin.enforcing() is True
    fake.answers[XSM_OP, 2] = 0
    assert hyper.admin.enforcing() is False
    hyper.admin.set_enforcing(True)
    hyper.admin.set_enforcing(False)
    assert [unpack_from("<III", message) for message in fake.messages(XSM_OP, 3)] == [(3, 1, 1), (3, 1, 0)]


def test_a_policy_of_any_size_is_lent(hyper: XenHypervisor, fake: FakeCalls) -> None:
    hyper.admin.load_policy(LARGE)
    (message,) = fake.messages(XSM_OP, 1)
    _, version, address, size = unpack_from("<IIQI", message)
    assert (version, size) == (1, len(LARGE)) and fake.read(address, size) == LARGE


def test_a_label(hyper: XenHypervisor, fake: FakeCalls) -> None:
    def play(memory: memoryview, start: int, _last: int) -> int:
        text = b"system_u:system_r:domU_t\0"
        memory[start + DATA : start + DATA + len(text)] = text
        memory[start + 12 : start + 16] = len(text).to_bytes(4, "little")
        return 0

    fake.answers[XSM_OP, 5] = play
    assert hyper.admin.label(9) == "system_u:system_r:domU_t"
    (message,) = fake.messages(XSM_OP, 5)
    assert unpack_from("<IIII", message) == (5, 1, 9, 32768)


def test_overlays(hyper: XenHypervisor, fake: FakeCalls) -> None:
    hyper.admin.add_overlay(LARGE)
    hyper.admin.remove_overlay(b"small")
    hyper.admin.attach_overlay(GUEST, LARGE)
    sent = [unpack_from("<QIBBBB", message, 8) for message in fake.messages(*OVERLAY)]
    sent += [unpack_from("<QIBBBB", message, 16) for message in fake.messages(*ATTACH)]
    assert [(size, *rest) for _, size, *rest in sent] == [
        (len(LARGE), 1, 0, 0, 0), (5, 2, 0, 0, 0), (len(LARGE), 1, 0, 0, 0)]  # fmt: skip
    assert [fake.read(address, size) for address, size, *_ in sent] == [LARGE, b"small", LARGE]


@pytest.mark.parametrize(
    ("errno", "says"),
    [(ENOSYS, "older than overlays"), (EOPNOTSUPP, "CONFIG_OVERLAY_DTB"), (EINVAL, "the overlay does not fit")],
)
def test_a_refusal_says_what_is_missing(hyper: XenHypervisor, fake: FakeCalls, errno: int, says: str) -> None:
    fake.answers[OVERLAY] = -errno
    with pytest.raises(HypercallError, match=says):
        hyper.admin.add_overlay(b"x")


@pytest.mark.parametrize(
    "call", [lambda admin: admin.add_overlay(bytes((512 << 10) + 1)), lambda admin: admin.load_policy(bytes(65 << 20))]
)
def test_what_xen_would_not_take_is_not_sent(
    hyper: XenHypervisor, fake: FakeCalls, call: Callable[[XenControl], None]
) -> None:
    before = len(fake.sent)
    with pytest.raises(HypercallError) as caught:
        call(hyper.admin)
    assert caught.value.errno == E2BIG and len(fake.sent) == before


def test_no_flask(hyper: XenHypervisor, fake: FakeCalls) -> None:
    for number in (1, 2, 3, 5):
        fake.answers[XSM_OP, number] = -ENOSYS
    calls = (hyper.admin.enforcing, lambda: hyper.admin.set_enforcing(True), lambda: hyper.admin.label(1))
    for call in calls:
        with pytest.raises(HypercallError, match="not built into this Xen"):
            call()
