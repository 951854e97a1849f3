"""explain and doctor as commands: text, JSON, what is followed, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.fakehost import image
from tests.unit.cli.conftest import Xenvm
from xenbus.diagnosis import Diagnosis
from xenvm.cli.explain import Teller, span
from xenvm.cli.store.session import Paint
from xenvm.ops.explain import End, Explained, Guest, Look


@pytest.fixture
def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, xenvm: Xenvm) -> Path:
    """A guest without a driver for disks, on a simulated host in a folder; its configuration."""
    monkeypatch.setenv("XENVM_HOST", f"sim:{tmp_path}/world")
    (tmp_path / "Image").write_bytes(image(5000))
    (tmp_path / "disk.img").write_bytes(bytes(1 << 16))
    config = tmp_path / "g.cfg"
    config.write_text(
        f"name = 'g'\nkernel = '{tmp_path}/Image'\nmemory = 64\ndisk = ['{tmp_path}/disk.img,raw,xvda,w']\n"
        "vif = ['bridge=xenbr0,mac=00:16:3e:00:00:01']\nextra = 'xenvm.behaviour=no-vbd'\n"
    )
    assert xenvm("create", "-q", str(config))[0] == 0
    return config


def test_a_page(guest: Path, xenvm: Xenvm) -> None:
    code, out, err = xenvm("explain", "g")
    lines = out.splitlines()
    assert (code, err) == (1, "")
    assert lines[0].startswith("g (domain 1): running, created ") and lines[0].endswith(" ago")
    assert lines[1:] == [
        "disk xvda",
        "  front end  1 Initialising  for 0.0 s",
        "  back end   2 InitWait      for 0.0 s",
        "  front end has not started: the guest's kernel runs, and no driver of it has taken the vbd"
        " (Linux: xen-blkfront)",
        "console 0",
        "  xenconsoled serves it on sim/console/1",
        "vif 0",
        "  front end  4 Connected     for 0.0 s",
        "  back end   4 Connected     for 0.0 s",
        "  both ends are connected",
    ]


def test_one_device(guest: Path, xenvm: Xenvm) -> None:
    code, out, _ = xenvm("explain", "g", "00:16:3e:00:00:01")
    assert code == 0 and len(out.splitlines()) == 5
    assert xenvm("explain", "g", "vif:1") == (9, "", "xenvm: device vif:1: domain g has no such device\n")
    assert xenvm("explain", "nobody")[0] == 3
    assert xenvm("explain", "0")[0] == 1


def test_json(guest: Path, xenvm: Xenvm) -> None:
    xenvm("pause", "g")
    code, out, _ = xenvm("explain", "g", "--json")
    found = json.loads(out)
    assert (code, found["version"], found["domid"], found["life"], found["well"]) == (1, 1, 1, "paused", False)
    disk = found["devices"][0]
    assert found["sentence"] == "domain g is paused, so it does nothing: `xenvm unpause g`"
    assert f"\n  {found['sentence']}\ndisk xvda\n" in xenvm("explain", "g")[1]
    assert (disk["kind"], disk["devid"], disk["code"], disk["who"]) == ("vbd", 51712, "paused", "toolstack")
    assert disk["backend"] == {
        "path": "/local/domain/0/backend/vbd/1/51712",
        "state": 2,
        "state_name": "2 InitWait",
        "there": True,
        "seconds": 0.0,
    }
    assert found["devices"][1]["frontend"] is None


def test_times_outlive_the_command(guest: Path, xenvm: Xenvm) -> None:
    assert xenvm("block-detach", "g", "xvda")[0] == 9  # ten seconds of the world's
    out = xenvm("explain", "g", "xvda")[1]
    assert "  front end  1 Initialising  for 10 s\n  back end   5 Closing       for 10 s\n" in out
    assert "nobody in the guest has heard of the detach" in out


def test_following_what_rests(guest: Path, xenvm: Xenvm) -> None:
    code, out, err = xenvm("explain", "--follow", "g", "0")
    assert (code, err) == (0, "") and out.endswith("  both ends are connected\n")
    code, out, _ = xenvm("explain", "--follow", "--json", "g", "0")
    assert code == 0 and json.loads(out)["devices"][0]["device"] == "vif 0"


def look(
    front: int, sentence: str, *, since: float | None = None, at: float = 0.0, life: str = "running", name: str = "g"
) -> Look:
    ends = [End(f"/{which}", front, True, since) for which in ("front", "back")]
    device = Explained("vif 0", "vif", 0, ends[0], ends[1], Diagnosis("x", "guest", sentence))
    return Look(Guest(1, name, life, "", None), (device,), at)


def test_news(capsys: pytest.CaptureFixture[str]) -> None:
    teller = Teller(None, Paint(False))
    teller.tell(look(1, "one"))
    teller.tell(look(4, "two", since=5.0, at=5.0))
    teller.tell(look(6, "two", since=7.1, at=7.1, life="crashed"))
    teller.tell(Look(Guest(1, "g", "crashed", "", None), (), 8.0))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:5] == [
        "vif 0",
        "  front end  1 Initialising  since before this look",
        "  back end   1 Initialising  since before this look",
        "  one",
    ]
    assert [line.split(" ", 1)[1] for line in lines[5:]] == [
        "vif 0: front end 1 Initialising -> 4 Connected",
        "vif 0: back end 1 Initialising -> 4 Connected",
        "vif 0: two",
        "g: running -> crashed",
        "vif 0: front end 4 Connected for 2.1 s -> 6 Closed",
        "vif 0: back end 4 Connected for 2.1 s -> 6 Closed",
        "vif 0: gone",
    ]


def test_a_name_that_a_terminal_would_obey(capsys: pytest.CaptureFixture[str]) -> None:
    Teller(None, Paint(True)).tell(look(4, "one", name="\x1b[2J"))
    assert "\x1b[2J" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (9.94, "9.9 s"), (42, "42 s"), (120, "2 min"), (7200, "2 h"), (864000, "10 d")],
)
def test_spans(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_doctor(guest: Path, xenvm: Xenvm) -> None:
    code, out, err = xenvm("doctor")
    assert (code, err) == (0, "") and out.endswith("all is well\n")
    code, out, _ = xenvm("doctor", "--config", str(guest))
    assert code == 1 and "fail  configuration  create would refuse it: a domain named 'g' exists already" in out
    assert out.splitlines()[-1].startswith("1 of ")
    xenvm("destroy", "g")
    code, out, _ = xenvm("doctor", "--config", str(guest), "--json")
    found = json.loads(out)
    assert code == 0 and found["version"] == 1
    assert {finding["level"] for finding in found["findings"]} == {"ok"}


def test_doctor_where_there_is_no_xen(xenvm: Xenvm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XENVM_HOST", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr("xenvm.host.open.under_xen", lambda root="/": False)
    code, out, _ = xenvm("doctor")
    assert code == 0 and out.startswith("warn  host           this machine has no Xen: the host is simulated")
    assert "`xenvm lab up`" in out and out.endswith("nothing stands in the way of a creation, 1 warning\n")


def test_doctor_where_xen_is_asked_for_and_not_there(xenvm: Xenvm) -> None:
    code, out, err = xenvm("--host", "xen", "doctor")
    assert code == 1 and err == "" and "fail  hypervisor     " in out
