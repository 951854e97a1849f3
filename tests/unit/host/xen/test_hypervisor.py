from __future__ import annotations

from errno import EACCES, EPERM, ESRCH
from struct import unpack_from

import pytest

from xenvm.errors import HostError, HypercallError, UnsupportedError
from xenvm.host.hyper import Hypervisor, XenVersion
from xenvm.host.xen import hypervisor
from xenvm.host.xen.calls import DOMCTL, XEN_VERSION
from xenvm.host.xen.hypervisor import XenHypervisor

from .conftest import info_bytes, open_on
from .fake import FakeCalls, answer, in_turn


def test_it_has_all_that_the_contract_asks() -> None:
    asked = {name for name in vars(Hypervisor) if not name.startswith("_")}
    assert asked <= set(dir(XenHypervisor))


def test_opening_costs_three_hypercalls(fake: FakeCalls) -> None:
    fake.answers[DOMCTL, 5] = answer(info_bytes(0), 0x10)
    hyper = XenHypervisor(fake)
    assert hyper.version == XenVersion(4, 17, ".7")
    assert [(op, cmd) for op, cmd, _ in fake.sent] == [(XEN_VERSION, 0), (XEN_VERSION, 1), (DOMCTL, 5)]


@pytest.mark.parametrize(("minor", "number"), [(14, 0x12), (16, 0x14), (20, 0x17), (22, 0x18)])
def test_the_release_selects_the_interface(minor: int, number: int) -> None:
    fake = FakeCalls((4, minor))
    hyper = open_on(fake)
    hyper.pause(1)
    assert unpack_from("<I", fake.sent[0][2], 4) == (number,)


def test_an_unknown_release_is_refused_unless_forced() -> None:
    fake = FakeCalls((4, 23), b"-unstable")
    with pytest.raises(UnsupportedError, match=r"Xen 4\.23 is newer .* XENVM_XEN_ABI=4\.22"):
        open_on(fake)
    hyper = open_on(fake, "4.22")
    assert str(hyper.version) == "4.23-unstable"
    hyper.pause(1)
    assert unpack_from("<I", fake.sent[0][2], 4) == (0x18,)


def test_a_development_build_is_found_among_the_neighbours(fake: FakeCalls) -> None:
    fake.answers[DOMCTL, 5] = in_turn(-EACCES, answer(info_bytes(0), 0x10))
    hyper = XenHypervisor(fake)
    fake.sent.clear()
    hyper.pause(1)
    assert unpack_from("<I", fake.sent[0][2], 4) == (0x16,)


def test_not_a_control_domain(fake: FakeCalls) -> None:
    fake.answers[DOMCTL, 5] = -EPERM
    with pytest.raises(HostError, match="not dom0"):
        XenHypervisor(fake)


def test_other_refusals_stay_themselves(fake: FakeCalls) -> None:
    fake.answers[DOMCTL, 5] = -EACCES
    with pytest.raises(HypercallError, match="EACCES"):
        XenHypervisor(fake)


@pytest.mark.parametrize("reply", [-ESRCH, answer(info_bytes(5), 0x10)])
def test_answers_that_make_no_sense(fake: FakeCalls, reply: object) -> None:
    fake.answers[DOMCTL, 5] = reply
    with pytest.raises(UnsupportedError, match=r"4\.17\.7"):
        XenHypervisor(fake)


def test_open_checks_the_host_first(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise HostError("not here")

    monkeypatch.setattr(hypervisor, "check_host", refuse)
    monkeypatch.setattr(hypervisor, "Calls", lambda: pytest.fail("opened"))
    with pytest.raises(HostError, match="not here"):
        XenHypervisor.open()


def test_open_takes_the_environment_and_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch, fake: FakeCalls) -> None:
    monkeypatch.setattr(hypervisor, "check_host", lambda: None)
    monkeypatch.setattr(hypervisor, "Calls", lambda: fake)
    monkeypatch.setenv("XENVM_XEN_ABI", "3.0")
    with pytest.raises(UnsupportedError, match=r"3\.0 is too old"):
        XenHypervisor.open()
    assert fake.closed


def test_close(hyper: XenHypervisor, fake: FakeCalls) -> None:
    hyper.close()
    assert fake.closed
