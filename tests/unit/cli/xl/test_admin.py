"""Flask, overlays and quotas by xl's words: on hosts that have them, and on those that do not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.guestconfig import config_text
from tests.support.simworld import arm64_image
from tests.unit.cli.conftest import Xenvm
from tests.unit.cli.xl.conftest import Xl
from xenvm.cli import run
from xenvm.host.open import VARIABLE


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, xenvm: Xenvm) -> Xl:
    (tmp_path / "world").mkdir(mode=0o700)
    (tmp_path / "world/machine.json").write_text('{"xen": [4, 22], "labels": ["a:r:t", "b:r:t"], "overlays": true}')
    monkeypatch.setenv(VARIABLE, f"sim:{tmp_path / 'world'}")
    monkeypatch.setattr(run, "chosen_host", None)
    (tmp_path / "policy").write_bytes(b"\x8c\xff\x7c\xf9...")
    (tmp_path / "o.dtbo").write_bytes(b"\xd0\x0d\xfe\xed...")
    (tmp_path / "text").write_text("text")
    monkeypatch.chdir(tmp_path)
    return Xl(xenvm, tmp_path)


@pytest.mark.parametrize(
    ("line", "code", "out", "err"),
    [
        ("getenforce", 255, "Flask XSM Disabled\n", ""),
        ("setenforce 1", 255, "", "Flask XSM disabled\n"),
        ("loadpolicy /no/such", 255, "", "Error occurred opening policy file '/no/such': No such file or directory\n"),
        ("loadpolicy /dev/null", 255, "", "Flask XSM disabled\n"),
        ("dt-overlay move x", 1, "", "Invalid dt overlay operation\n"),
        ("dt-overlay add", 1, "", "overlay dtbo file not provided\n"),
        ("dt-overlay add /dev/null", 1, "", "xl: this Xen is built without overlays (CONFIG_OVERLAY_DTB)\n"),
        ("xenstore-quota-get", 1, "", 'Domain or "-g" must be specified.\n'),
        ("xenstore-quota-get -g 0", 1, "", 'Domain or "-g" must be specified.\n'),
        ("xenstore-quota-get h", 1, "", "h is an invalid domain identifier (rc=-6)\n"),
    ],
)
def test_codes_and_messages(xl: Xl, line: str, code: int, out: str, err: str) -> None:
    assert xl(line) == (code, out, err)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("setenforce", 2),
        ("setenforce maybe", 2),
        ("loadpolicy", 2),
        ("dt-overlay", 1),
        ("dt-overlay attach x", 1),
        ("xenstore-quota-set 0", 1),
    ],
)
def test_too_few_words_show_the_help(xl: Xl, line: str, code: int) -> None:
    found = xl(line)
    assert found[0] == code and found[1].startswith(f"Usage: xl [-vtT] {line.split()[0]} ")


def test_flask(host: Xl) -> None:
    assert host("getenforce") == (1, "Enforcing\n", "")
    assert host("setenforce permissive") == (0, "", "")
    assert host("getenforce") == (0, "Permissive\n", "")
    assert host("setenforce 1") == (0, "", "") and host("getenforce")[0] == 1
    assert host("loadpolicy policy") == (0, "Successfully loaded policy.\n", "")
    reason = "it is no policy that this Xen understands"
    assert host("loadpolicy text") == (255, "", f"Unable to load new Flask policy: {reason}\n")


def test_overlays(host: Xl) -> None:
    assert host("dt-overlay remove o.dtbo")[0] == 1
    assert host("dt-overlay add o.dtbo") == (0, "", "")
    assert host("dt-overlay add text")[0] == host("dt-overlay add /no/such")[0] == 1
    assert host("dt-overlay attach o.dtbo 77")[0] == 1
    assert host("dt-overlay attach o.dtbo 0") == (0, "", "")
    assert host("dt-overlay remove o.dtbo")[0] == 1


def test_quotas(host: Xl) -> None:
    everybody = host.out("xenstore-quota-get -g").splitlines()
    assert everybody[:2] == ["Quota name           Quota value", "-" * 32] and len(everybody) > 4
    name = everybody[2].split()[0]
    assert host("xenstore-quota-set -g " + name + "=0x10") == (0, "", "")
    assert host.out("xenstore-quota-get -g").splitlines()[2].split() == [name, "16"]
    assert host(f"xenstore-quota-set 0 {name}=5") == (0, "", "")
    assert host.out("xenstore-quota-get 0").splitlines()[2] == f"{name:<20} {5:8}"
    assert host.out("xenstore-quota-get -g").splitlines()[2] == f"{name:<20} {16:8}"
    assert host("xenstore-quota-set 0 nothing=5")[2].splitlines()[-1] == "Quota could not be set."
    for wrong in ("nothing", f"{name}=x", f"{name}=4294967296"):
        assert host(f"xenstore-quota-set -g {wrong}")[0] == 1


def test_labels_in_lists(host: Xl, monkeypatch: pytest.MonkeyPatch) -> None:
    (host.folder / "Image").write_bytes(arm64_image())
    settings: dict[str, object] = {"disk": None, "vif": None, "seclabel": "b:r:t"}
    (host.folder / "g.cfg").write_text(config_text(str(host.folder / "Image"), None, "", settings))
    assert host(f"create -q {host.config}")[0] == 0
    dom0, guest = host.out("list -Z").splitlines()[1:]
    assert dom0.endswith(" " * 16 + "-") and guest.endswith(f" {'b:r:t':>16}")
    assert host.out("list -v g").splitlines()[1].endswith(f" {'b:r:t':>16}")


def test_features_of_the_store(host: Xl) -> None:
    lines = host.out("info -x").splitlines()
    assert lines[-2:] == ["xenstore_features      : 0x0000000e", "xend_config_format     : 4"]
    assert not any(line.startswith("xenstore") for line in host.out("info").splitlines())
    assert host.out("info -x xenstore_f") == "0x0000000e\n"


def test_our_own_words_and_json(host: Xl, xenvm: Xenvm) -> None:
    assert xenvm("getenforce") == (0, "Enforcing\n", "")
    assert json.loads(xenvm("getenforce", "--json")[1]) == {"version": 1, "flask": "enforcing"}
    assert xenvm("setenforce", "maybe")[0] == 6 and xenvm("loadpolicy", "text")[0] == 8
    assert xenvm("loadpolicy", "/no/such")[0] == 6
    assert xenvm("dt-overlay", "add", "o.dtbo", "0")[0] == xenvm("dt-overlay", "attach", "o.dtbo")[0] == 2
    assert xenvm("dt-overlay", "move", "o.dtbo")[0] == 6 and xenvm("dt-overlay", "add", "text")[0] == 8
    assert xenvm("xenstore-quota-get")[0] == xenvm("xenstore-quota-set", "-g")[0] == 2
    assert json.loads(xenvm("xenstore-quota-get", "-g", "--json")[1])["quotas"][0] == {"name": "nodes", "value": 1000}
    assert xenvm("xenstore-quota-set", "-g", "no=1")[0] == 6


def test_a_host_without_them(xl: Xl, xenvm: Xenvm) -> None:
    assert xenvm("getenforce") == (0, "Disabled\n", "")
    code, _, err = xenvm("setenforce", "1")
    assert code == 7 and err == "xenvm: this Xen is built, or was started, without Flask\n"
    assert xenvm("dt-overlay", "add", "/dev/null")[0] == 7
