"""The host's xl.conf in commands: a simulated host has none, unless the environment names one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.guestconfig import config_text
from tests.support.simworld import arm64_image
from tests.unit.cli.conftest import Xenvm
from xenvm.cli import run
from xenvm.host import open as hosts


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(hosts.VARIABLE, f"sim:{tmp_path / 'world'}")
    monkeypatch.setattr(run, "chosen_host", None)
    monkeypatch.setattr("xenvm.host.plumbing.vifscript.needs_script", lambda bridge, ip: None)
    (tmp_path / "Image").write_bytes(arm64_image())
    (tmp_path / "xl.conf").write_text('# comment\nvif.default.bridge = "br7"\nautoballoon = "on"\nclaim_mode = 1\n')
    settings: dict[str, object] = {"disk": None, "vif": ["mac=00:16:3e:00:00:01"]}
    (tmp_path / "g.cfg").write_text(config_text(str(tmp_path / "Image"), None, "", settings))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(hosts.CONF_VARIABLE, str(tmp_path / "xl.conf"))
    return tmp_path / "xl.conf"


WARNING = "xl.conf:3:15: warning: `autoballoon' has no effect: xenvm never takes memory from domain 0"


def test_create(conf: Path, xenvm: Xenvm) -> None:
    code, _, err = xenvm("create", "-q", "g.cfg")
    assert code == 0 and WARNING in err
    (found,) = json.loads(xenvm("network-list", "--json", "g")[1])["devices"]
    assert found["bridge"] == "br7"
    assert xenvm("network-attach", "g", "mac=00:16:3e:00:00:02")[0] == 0
    assert [each["bridge"] for each in json.loads(xenvm("network-list", "--json", "g")[1])["devices"]] == ["br7"] * 2
    conf.write_text("claim_mode = yes\n")
    assert xenvm("create", "-q", "g.cfg")[0] == 6 and xenvm("network-attach", "g")[0] == 6


@pytest.mark.parametrize(("words", "hard"), [([], [0]), (["-i"], [0, 1, 2, 3])])
def test_masks_may_be_ignored(conf: Path, xenvm: Xenvm, words: list[str], hard: list[int]) -> None:
    conf.write_text('vm.cpumask = "0"\n')
    said = xenvm("create", "-n", "-q", *words, "g.cfg")[1]
    assert ("no CPUs but 0" in said) == (not words)
    assert xenvm("xl", "create", "-q", *words, "g.cfg")[0] == 0
    assert json.loads(xenvm("vcpu-list", "--json", "g")[1])["vcpus"][0]["hard_affinity"] == hard


def test_masks_hold_for_pinning(conf: Path, xenvm: Xenvm) -> None:
    conf.write_text('vm.cpumask = "0-2"\nvm.hvm.cpumask = "2,3"\n')
    assert xenvm("create", "-q", "-i", "g.cfg")[0] == 0

    def hard() -> object:
        return json.loads(xenvm("vcpu-list", "--json", "g")[1])["vcpus"][0]["hard_affinity"]

    for words, cpus in ((["1-3"], [2]), (["all"], [2]), (["-", "1"], [2]), (["-i", "1-3"], [1, 2, 3])):
        assert xenvm("xl", "vcpu-pin", "g", "all", *words) == (0, "", ""), words
        assert hard() == cpus
    code, _, err = xenvm("vcpu-pin", "g", "0", "1")
    assert code == 6 and "leaves none of these CPUs" in err and hard() == [1, 2, 3]


def test_a_plan_says_what_came_from_it(conf: Path, xenvm: Xenvm) -> None:
    code, out, err = xenvm("plan", "--only", "summary", "g.cfg")
    assert (code, WARNING in err) == (0, True) and "\nxl.conf   bridge=br7 of vif 0, claim=1\n" in out
    assert json.loads(xenvm("plan", "--json", "g.cfg")[1])["xl_conf"] == ["bridge=br7 of vif 0", "claim=1"]
    assert "xl.conf" not in xenvm("plan", "--only", "summary", "--xen", "4.20", "g.cfg")[1]


def test_the_shims_dry_run(conf: Path, xenvm: Xenvm) -> None:
    found = json.loads(xenvm("xl", "-N", "create", "-q", "g.cfg")[1])
    assert found["nics"][0]["bridge"] == "br7"
    said = xenvm("xl", "-N", "network-attach", "1", "mac=00:16:3e:00:00:02")[1]
    assert json.loads(said.removeprefix("vif: "))["bridge"] == "br7"


def test_where_it_is(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hosts.xl_conf("sim") == (str(conf), conf.read_bytes())
    conf.write_text("# only\n\n   # comments\n")
    assert hosts.xl_conf("xen") == (str(conf), b"")
    monkeypatch.setenv(hosts.CONF_VARIABLE, "")
    assert hosts.xl_conf("xen") == ("", b"")
    monkeypatch.delenv(hosts.CONF_VARIABLE)
    monkeypatch.setattr(hosts, "XL_CONF", str(conf.parent / "none"))
    assert hosts.xl_conf("xen") == (str(conf.parent / "none"), b"")
    assert hosts.xl_conf("sim") == hosts.xl_conf("libvirt:test:///default") == ("", b"")
    monkeypatch.setattr(hosts, "XL_CONF", str(conf.parent))
    with pytest.raises(hosts.HostError, match="cannot be read: Is a directory"):
        hosts.xl_conf("xen")
