"""record and replay as commands: files, exit codes, text and JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.fakehost import image
from tests.support.recordings import life, without
from tests.unit.cli.conftest import Xenvm
from xenbus.recording import Recording, Writer, load
from xenvm.guest.load import load_file
from xenvm.host.sim.host import SimHost, open_world
from xenvm.ops import create, destroy
from xenvm.types import Domid


def save(path: Path, recording: Recording) -> str:
    with open(path, "w") as file:
        writer = Writer(file, recording.header)
        for event in recording.events:
            writer.put(event)
    return str(path)


@pytest.fixture
def good(tmp_path: Path) -> str:
    return save(tmp_path / "good", life())


@pytest.fixture
def bad(tmp_path: Path) -> str:
    return save(tmp_path / "bad", without(without(life(9), 3, "/state"), 4, "/state"))


def test_a_chart(good: str, xenvm: Xenvm) -> None:
    code, out, err = xenvm("replay", good)
    assert (code, err) == (0, "") and out.startswith("g (domain 5), Xen 4.17.5: 26 events\n  seconds  device")
    assert "| state = 2 InitWait" in out and "\x1b" not in out
    assert "InitWait" not in xenvm("replay", good, "-d", "xvdb")[1]
    found = json.loads(xenvm("replay", "--json", good)[1])
    assert found["version"] == 1 and found["recording"]["ended"] == "what was recorded is gone"
    assert found["steps"][0]["device"] == "vbd:51712"


def test_compared(good: str, bad: str, xenvm: Xenvm) -> None:
    assert xenvm("replay", good, "--compare", good) == (0, "both recordings went the same way\n", "")
    code, out, _ = xenvm("replay", good, "--compare", bad)
    assert code == 1 and out.startswith(
        "first difference: vbd 51712: the back end goes to 4 Connected at 3.000 s in the"
    )
    found = json.loads(xenvm("replay", good, "--compare", bad, "--json")[1])["differences"]
    assert [each["device"] for each in found] == ["vbd 51712"] * 2


def test_against(good: str, bad: str, xenvm: Xenvm) -> None:
    for end in ("front", "back"):
        code, out, _ = xenvm("replay", good, "--against", end)
        assert code == 0 and f"our {end} end goes through the same states" in out
    assert xenvm("replay", bad, "--against", "back")[0] == 1
    found = json.loads(xenvm("replay", good, "--against", "back", "--json")[1])["devices"]
    assert found[0]["same"] and found[0]["played"] == [2, 4, 6]
    assert xenvm("replay", good, "--against", "back", "-d", "9") == (1, "no device is in the recording\n", "")


def test_wrong_words(good: str, tmp_path: Path, xenvm: Xenvm) -> None:
    assert xenvm("replay", good, "--against", "both")[0] == 2
    assert xenvm("replay", good, "--against", "back", "--compare", good)[0] == 2
    (tmp_path / "x").write_text("x\n")
    code, _, err = xenvm("replay", str(tmp_path / "x"))
    assert code == 1 and "is no recording of a store" in err
    assert xenvm("replay", str(tmp_path / "none"))[0] == 1


def test_a_recording_is_a_store(good: str, xenvm: Xenvm) -> None:
    before = Path(good).read_text().splitlines(keepends=True)
    cut = Path(good + "-cut")
    cut.write_text("".join(before[:-3]))
    assert xenvm("store", "read", "--socket", str(cut), "/local/domain/5/device/vbd/51712/state")[1] == "6\n"
    assert xenvm("store", "write", "--socket", str(cut), "/a", "1")[0] == 1
    assert xenvm("store", "exists", "--socket", good, "/local/domain/5/device/vbd/51712")[0] == 1


def test_a_simulated_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, xenvm: Xenvm) -> None:
    """All that a command asks of the simulated store; and what is there, once the command is over."""
    monkeypatch.setenv("XENVM_HOST", f"sim:{tmp_path}/world")
    monkeypatch.setenv("XENVM_RECORD", f"{tmp_path}/all")
    (tmp_path / "Image").write_bytes(image(5000))
    (tmp_path / "disk.img").write_bytes(bytes(1 << 16))
    config = tmp_path / "g.cfg"
    config.write_text(
        f"name = 'g'\nkernel = '{tmp_path}/Image'\nmemory = 64\ndisk = ['{tmp_path}/disk.img,raw,xvda,w']\n"
        "vif = ['bridge=xenbr0,mac=00:16:3e:00:00:01']\n"
    )
    assert xenvm("create", "-q", str(config))[0] == 0
    monkeypatch.delenv("XENVM_RECORD")
    assert os.stat(tmp_path / "all").st_mode & 0o777 == 0o600
    for end in ("front", "back"):
        code, out, _ = xenvm("replay", f"{tmp_path}/all", "--against", end)
        assert code == 0 and len(out.splitlines()) == 2, out
    monkeypatch.setenv("XENVM_RECORD", f"{tmp_path}/all")
    code, out, err = xenvm("record", "g", "-o", str(tmp_path / "now"))
    assert (code, out) == (0, "") and "nothing more will happen" in err, "one recording is of one stay"
    monkeypatch.delenv("XENVM_RECORD")
    assert "state = 4 Connected (was there)" in xenvm("replay", str(tmp_path / "now"))[1]
    code, out, _ = xenvm("record", "/local/domain/1/device", "--seconds", "1")
    assert code == 0 and '"op":"have"' in out


def test_a_simulated_host_that_others_use(folder: Path, xenvm: Xenvm, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for the domain, tells of what other commands have changed, and ends with the domain."""

    def end(host: SimHost) -> None:
        destroy.destroy(host, Domid(1), host.hyper.domain(Domid(1)).uuid)

    todo: list[Callable[[SimHost], object]] = [
        lambda host: host.store.write("/mine", "1"),
        lambda host: create.create(host, load_file(str(folder / "g.cfg"))[0]),
        lambda host: host.store.write("/local/domain/1/data", "x"),
        end,
    ]

    def until_changed(host: SimHost) -> None:
        host.close()
        with open_world(str(folder / "world")) as other:
            todo.pop(0)(other)

    monkeypatch.setattr(SimHost, "until_changed", until_changed)
    code, _, err = xenvm("record", "g", "-o", str(folder / "rec"))
    assert code == 0 and not todo
    assert err.splitlines() == [
        "xenvm: waiting for a domain g",
        "xenvm: recording domain 1",
        "xenvm: the recording has ended: what was recorded is gone",
    ]
    with open(folder / "rec") as file:
        events = load(file).events
    later = [(event.op, event.path) for event in events if event.op != "have"]
    assert later[0] == ("write", "/local/domain/1/data") and later[-1] == ("end", "")
    assert {("rm", "/local/domain/1"), ("rm", "/libxl/1"), ("rm", "/local/domain/0/backend/vbd/1")} < set(later)
    assert not [event for event in events if event.events != 1]


def test_interrupted_while_others_have_the_host(folder: Path, xenvm: Xenvm, monkeypatch: pytest.MonkeyPatch) -> None:
    def until_changed(host: SimHost) -> None:
        host.close()
        raise KeyboardInterrupt

    monkeypatch.setattr(SimHost, "until_changed", until_changed)
    code, out, _ = xenvm("record", "/local")
    assert code == 0 and json.loads(out.splitlines()[-1])["error"] == "it was interrupted"
