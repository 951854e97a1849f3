"""The tracer writes calls down and makes them fail."""

from __future__ import annotations

from errno import ENOMEM

import pytest

from xenvm.errors import HypercallError
from xenvm.host.hyper import CreateRequest
from xenvm.host.sim.hypervisor import SimHypervisor
from xenvm.host.trace import Tracer
from xenvm.types import Gfn, KiB

REQUEST = CreateRequest("01020304-0506-0708-090a-0b0c0d0e0f10", 1)


def test_calls_as_text() -> None:
    behind = SimHypervisor()
    tracer = Tracer(behind)
    hyper = tracer.hyper
    assert hyper.version == behind.version
    domid = hyper.create(REQUEST).domid
    hyper.set_max_mem(domid, KiB(64))
    hyper.set_params(domid, {1: 0x39001})
    hyper.set_paging_pool(domid, 0x10000)
    hyper.populate(domid, Gfn(0x40000), 0, 1)
    hyper.fill(domid, Gfn(0x40000), 9, lambda view: None)
    hyper.console_ring(clear=True)
    lines = tracer.lines()
    assert lines[0].startswith("create uuid=01020304-0506-0708-090a-0b0c0d0e0f10 max_vcpus=1")
    assert lines[1:] == [
        "set_max_mem 1 64",
        "set_params 1 1=0x39001",
        "set_paging_pool 1 0x10000",
        "populate 1 0x40000 0 1",
        "fill 1 0x40000 9",
        "console_ring",
    ]
    assert tracer.calls[1].step == ("set_max_mem", 1)


def test_a_call_fails_and_is_not_done() -> None:
    behind = SimHypervisor()
    tracer = Tracer(behind)
    tracer.fail(2, ENOMEM)
    tracer.fail(("create", 2), KeyboardInterrupt())
    domid = tracer.hyper.create(REQUEST).domid
    with pytest.raises(HypercallError, match="destroy for domain 1: ENOMEM"):
        tracer.hyper.destroy(domid)
    assert domid in behind.all
    with pytest.raises(KeyboardInterrupt):
        tracer.hyper.create(REQUEST)
    tracer.hyper.destroy(domid)
    assert list(behind.all) == [0]


def test_a_call_is_done_before_the_end() -> None:
    behind = SimHypervisor()
    tracer = Tracer(behind)
    tracer.fail_after(1, ENOMEM)
    with pytest.raises(HypercallError):
        tracer.hyper.create(REQUEST)
    assert list(behind.all) == [0, 1]
