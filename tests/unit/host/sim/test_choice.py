"""What a simulated host is made of, said on the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.simworld import arm64_image
from xenvm.errors import DeviceError, HostError
from xenvm.host.open import open_host
from xenvm.host.sim.behaviour import Behaviour
from xenvm.host.sim.choice import Choice

TOP = Path(__file__).resolve().parents[4]
WORDS = "xen=4.17&gic=v2&memory=8G&cpus=2&bridges=br0,br1&dom0_memory=512m&gpaddr_bits=36&arm32=no&iommu=1"


def test_all_words() -> None:
    choice = Choice(f"/some/where?{WORDS}&behaviour=slow,hostile")
    assert choice.folder == "/some/where"
    assert choice.fields == {
        "xen": (4, 17),
        "gic": 2,
        "memory": 8192,
        "cpus": 2,
        "bridges": ("br0", "br1"),
        "dom0_memory": 512,
        "gpaddr_bits": 36,
        "arm32": False,
        "iommu": True,
    }
    assert choice.behaviour == Behaviour(delay=3.0, hostile=True)


def test_no_words() -> None:
    for text in ("/a", "/a?"):
        choice = Choice(text)
        assert (choice.folder, choice.fields, choice.behaviour) == ("/a", {}, None)


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("xen=4.18", "no simulation of Xen 4.18, only of 4.17, 4.20, 4.22"),
        ("gic=v4", "'v4' is no gic"),
        ("memory=0", "'0' is no memory"),
        ("memory=G", "'G' is no memory"),
        ("memory=-1", "'-1' is no memory"),
        ("memory=" + "9" * 5000, "is no memory"),
        ("cpus=5000", "is no cpus"),
        ("gpaddr_bits=31", "is no gpaddr_bits"),
        ("arm32=maybe", "'maybe' is no arm32"),
        ("colour=red", "no 'colour' to choose, only xen, gic"),
        ("behaviour=odd", "cannot be 'odd'"),
    ],
)
def test_what_cannot_be(word: str, reason: str) -> None:
    with pytest.raises(HostError, match=reason):
        Choice(f"/a?{word}")


def test_a_world_keeps_its_machine(tmp_path: Path) -> None:
    with open_host(f"sim:{tmp_path}?{WORDS}") as host:
        assert host.hyper.version.release == (4, 17)
        assert host.hyper.physinfo().free_kib == 8 << 20
        with pytest.raises(DeviceError, match="the bridge xenbr0 does not exist"):
            host.plumbing.bridge.find_bridge("xenbr0", "vif 0")
        assert host.plumbing.bridge.find_bridge("", "vif 0") == "br0"
    for choice in (f"sim:{tmp_path}", f"sim:{tmp_path}?xen=4.17", f"sim:{tmp_path}?{WORDS}"):
        with open_host(choice) as host:
            assert host.hyper.version.release == (4, 17)
            assert host.plumbing.bridge.find_bridge("br1", "vif 0") == "br1"
    with pytest.raises(HostError, match=r"has xen=4\.17, and cannot have 4\.20"):
        open_host(f"sim:{tmp_path}?xen=4.20")


def test_behaviour_is_that_of_guests_that_start_now(tmp_path: Path) -> None:
    with open_host(f"sim:{tmp_path}?behaviour=dead") as host:
        assert host.world.behaviour == Behaviour(dead=True)  # type: ignore[attr-defined]
    with open_host(f"sim:{tmp_path}") as host:
        assert host.world.behaviour == Behaviour()  # type: ignore[attr-defined]


def test_from_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "Image").write_bytes(arm64_image())
    (tmp_path / "g.cfg").write_text(f"name = 'g'\nkernel = '{tmp_path}/Image'\nmemory = 64\non_crash = 'preserve'\n")

    def xenvm(host: str, *words: str) -> str:
        argv = [sys.executable, "-m", "xenvm", "--host", f"sim:{tmp_path}/{host}", *words]
        done = subprocess.run(argv, cwd=TOP, capture_output=True, text=True)
        return done.stdout + done.stderr

    assert xenvm("a?xen=4.17&gic=v2&memory=1G&behaviour=crash", "create", "-q", f"{tmp_path}/g.cfg") == ""
    assert "---sc-" in xenvm("a", "list")
    info = xenvm("a", "info")
    assert "4.17.0-simulated" in info and "total_memory           : 2048" in info
    assert "cannot have 4.22" in xenvm("a?xen=4.22", "list")
    assert xenvm("b?xen=4.19", "list") == "xenvm: there is no simulation of Xen 4.19, only of 4.17, 4.20, 4.22\n"
    assert not (tmp_path / "b").exists()
