"""The fixture xen_host: guests, time, faults, and what is left behind."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from errno import EINVAL
from pathlib import Path
from typing import Any

import pytest

from xenbus.errors import StoreTimeout
from xenvm.errors import HostError, HypercallError, NoSuchDomain, WaitTimeout
from xenvm.host.sim.front_block import BlockFront
from xenvm.testing.host import XenHost


@pytest.mark.xen(clean=True)
def test_a_guest_from_its_boot_to_its_end(xen_host: XenHost) -> None:
    guest = xen_host.create("g", disks=2, vifs=1, vcpus=2)
    assert (guest.name, guest.exists, guest.down, guest.info.nr_online_vcpus) == ("g", True, None, 2)
    guest.wait_up()
    assert guest.states() == {"vbd/51712": "4", "vbd/51728": "4", "vif/0": "4"}
    assert guest.console.startswith("[    0.000000] Booting Linux")
    assert "51712 1048576" in guest.type("lsblk\n")
    assert guest.shutdown() == guest.down == "poweroff"
    assert [known.domid for known in xen_host.guests()] == [guest.domid] == [xen_host.guest("g").domid]
    assert guest.destroy() == []
    assert not guest.exists and "Power down" in guest.console
    assert guest.wait_down() is None
    with pytest.raises(NoSuchDomain):
        guest.info  # noqa: B018


@pytest.mark.xen(xen="4.17", gic="v2", memory="1G", cpus=2, bridges=["br0", "br1"])
class TestMarker:
    def test_it_says_what_the_host_is_made_of(self, xen_host: XenHost) -> None:
        machine = xen_host.world.hyper.machine
        assert (machine.xen, machine.gic, machine.memory, machine.cpus) == ((4, 17), 2, 1024, 2)
        xen_host.create(vifs=1).wait_up()
        with pytest.raises(Exception, match="the bridge xenbr0 does not exist"):
            xen_host.create("h", vif=["bridge=xenbr0"])

    @pytest.mark.xen(xen="4.22", iommu=True)
    def test_the_nearest_one_comes_first(self, xen_host: XenHost) -> None:
        machine = xen_host.world.hyper.machine
        assert (machine.xen, machine.gic, machine.iommu) == ((4, 22), 2, True)


def test_hosts_stand_side_by_side(xen_hosts: Callable[..., XenHost]) -> None:
    old, new = xen_hosts(xen="4.17"), xen_hosts(xen="4.22", behaviour="crash")
    assert old.create().down is None
    assert new.create().down == "crash"
    assert new.create("other", behaviour="normal").down is None, "what a guest's command line says comes first"
    with pytest.raises(HostError, match="no simulation of Xen 3"):
        xen_hosts(xen="3")


@pytest.mark.parametrize(
    ("behaviour", "console", "down"),
    [("dead", "", None), ("crash", "Kernel panic", "crash"), ("hostile", "Booting", None)],
)
def test_guests_misbehave(xen_host: XenHost, behaviour: str, console: str, down: str | None) -> None:
    good = xen_host.create("good", disks=1, vifs=1)
    bad = xen_host.create("bad", disks=1, vifs=1, behaviour=behaviour)
    xen_host.advance(60)
    assert console in bad.console and bad.down == down
    assert set(good.states().values()) == {"4"}
    bad.destroy()
    good.destroy()
    assert xen_host.left() == []


def test_time_is_virtual(xen_host: XenHost) -> None:
    guest = xen_host.create("slow", disks=1, behaviour="slow")
    began = xen_host.now
    assert guest.console == ""
    guest.wait_up()
    assert xen_host.now - began >= 3
    deaf = xen_host.create("deaf", behaviour="dead")
    with pytest.raises(StoreTimeout):
        deaf.shutdown(seconds=3600)
    assert xen_host.now - began >= 3600
    with pytest.raises(WaitTimeout, match=r"domain 2 up did not come within 5 simulated seconds"):
        deaf.wait_up(5)


def test_waiting_for_nodes(xen_host: XenHost) -> None:
    guest = xen_host.create(paused=True, disks=1)
    state = f"{guest.home}/device/vbd/51712/state"
    with pytest.raises(WaitTimeout, match="did not come") as caught:
        xen_host.wait_for(state, "4", seconds=1)
    assert caught.value.__notes__ == ["it is '1'"]
    xen_host.hyper.unpause(guest.domid)
    xen_host.wait_for(state, "4")
    guest.write("control/shutdown", "poweroff")
    assert guest.wait_down() == "poweroff"
    guest.destroy()
    xen_host.wait_for(guest.home, None)
    assert guest.read("name") is None


@pytest.mark.xen(clean=True)
def test_a_fault_leaves_nothing(xen_host: XenHost) -> None:
    xen_host.fail("set_entry", EINVAL)
    with pytest.raises(HypercallError, match="set_entry for domain 1: EINVAL"):
        xen_host.create(disks=1, vifs=1)
    xen_host.fail("unpause", KeyboardInterrupt(), after=True)
    with pytest.raises(KeyboardInterrupt):
        xen_host.create(disks=1, vifs=1)
    assert any(call.startswith("unpause 2") for call in xen_host.calls)
    with pytest.raises(HostError, match="no hypercall 'explode'"):
        xen_host.fail("explode")


def test_what_is_left_is_told(xen_host: XenHost) -> None:
    assert xen_host.left() == []
    xen_host.store.write("/mine/too", "x")
    xen_host.create("g", disks=1, paused=True)
    left = xen_host.left()
    assert {"domain 1", "node /mine", "node /mine/too", "introduced domain 1"} <= set(left)
    assert any(line.startswith("free pages: ") for line in left)
    assert any(line.startswith("loop device /dev/simloop0 of ") for line in left)


def test_a_test_fails_that_leaves_something(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import pytest\n@pytest.mark.xen(clean=True)\ndef test_it(xen_host):\n    xen_host.create('g')\n"
    )
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--strict-markers", str(tmp_path)]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and "1 passed, 1 error" in done.stdout, done.stdout
    assert "the test has left on its host: domain 1; " in done.stdout


def test_a_back_end_of_ones_own(xen_host: XenHost) -> None:
    import runpy

    example: dict[str, Any] = runpy.run_path(str(Path(__file__).resolve().parents[3] / "examples/ramdisk.py"))
    xen_host.serve("vbd", example["RamDisk"].probe)
    guest = xen_host.create(disks=1)
    assert guest.states() == {"vbd/51712": "4"}
    assert "51712 1048576" in guest.type("lsblk\n"), "2048 sectors of the example"
    with pytest.raises(HostError, match="cannot be lent"), xen_host.lend():
        pass


def test_a_front_end_of_ones_own(xen_host: XenHost) -> None:
    class Mine(BlockFront):
        pass

    xen_host.drive("vbd", Mine)
    guest = xen_host.create(disks=2, vifs=1)
    guest.wait_up()
    assert isinstance(guest.driver("vbd/51728"), Mine)
    with pytest.raises(KeyError):
        guest.driver("vbd/1")
    guest.destroy()
    with pytest.raises(NoSuchDomain):
        guest.driver("vbd/51728")


def test_a_connection_of_a_guest(xen_host: XenHost) -> None:
    guest = xen_host.create()
    with xen_host.connect(guest.domid) as store:
        store.write("data/mine", "x")
        assert guest.read("data/mine") == "x"
        with pytest.raises(Exception, match="EACCES"):
            store.read("/local/domain/0/name/x")
