"""Which host a command gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from xenvm.errors import HostError
from xenvm.host import open as hosts
from xenvm.host.open import Host, open_host, under_xen
from xenvm.host.sim.host import SimHost


@pytest.fixture(autouse=True)
def nobody_has_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("XENVM_HOST", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_no_xen_is_a_simulated_host_that_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(hosts, "under_xen", lambda: False)
    with open_host() as host:
        assert isinstance(host, SimHost)
        assert "simulated" in host.notice and not host.lasting
    assert (tmp_path / "state/xenvm/sim/world.json").exists()


def test_a_real_host_never_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "under_xen", lambda: True)
    host = open_host()
    assert type(host) is Host and not host.notice and host.lasting


def test_who_chooses_is_told_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with open_host(f"sim:{tmp_path}/here") as host:
        assert isinstance(host, SimHost) and not host.notice
    monkeypatch.setenv("XENVM_HOST", f"sim:{tmp_path}/there")
    open_host().close()
    assert {path.name for path in tmp_path.iterdir()} >= {"here", "there"}
    assert type(open_host("xen")) is Host
    monkeypatch.setenv("XENVM_HOST", "xen")
    assert type(open_host()) is Host
    with pytest.raises(HostError, match="'kvm' names no host"):
        open_host("kvm")


@pytest.mark.parametrize("sign", ["dev/xen/privcmd", "proc/xen/capabilities", "sys/hypervisor/type"])
def test_signs_of_xen(tmp_path: Path, sign: str) -> None:
    root = f"{tmp_path}/"
    assert not under_xen(root)
    (tmp_path / sign).parent.mkdir(parents=True)
    (tmp_path / sign).touch()
    assert under_xen(root)


def test_the_real_plumbing_comes_as_it_is_needed() -> None:
    plumbing = Host().plumbing
    assert plumbing.block.__name__ == "xenvm.host.plumbing.block"  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        plumbing.netlinks  # type: ignore[attr-defined]  # noqa: B018
