from __future__ import annotations

from struct import pack

import pytest

from xenvm.host.xen.calls import DOMCTL
from xenvm.host.xen.hypervisor import XenHypervisor

from .fake import FakeCalls, answer


def info_bytes(domid: int, flags: int = 0x102, last_vcpu: int = 0xFFFFFFFF, bits: int = 44) -> bytes:
    """struct getdomaininfo with telling values, in the longest form."""
    handle = bytes.fromhex("00112233445566778899aabbccddeeff")
    memory = 0x1_0000_0001, 0x1_0000_0002, 3, 4, 5, 6, 0x7_0000_0007
    return pack("<H2xI7QIII16sIB7x", domid, flags, *memory, 8, last_vcpu, 9, handle, 10, bits) + bytes(16)


@pytest.fixture
def fake() -> FakeCalls:
    return FakeCalls()


@pytest.fixture
def hyper(fake: FakeCalls) -> XenHypervisor:
    return open_on(fake)


def open_on(fake: FakeCalls, abi: str | None = None) -> XenHypervisor:
    """A hypervisor whose opening left no trace in the fake."""
    fake.answers[DOMCTL, 5] = answer(info_bytes(0), 0x10)
    hyper = XenHypervisor(fake, abi)
    fake.sent.clear()
    return hyper
