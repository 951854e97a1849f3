"""Tests of a script that runs `xenvm`: on a fake Xen, with guests that do not always do what they are told."""

import sys
from pathlib import Path

import pytest

SCRIPT = [sys.executable, str(Path(__file__).parent / "rolling_restart.py")]


def test_all_guests_come_back(xen_host, xenvm):
    configs = [xen_host.config(name, disks=1, vifs=1) for name in ("web", "db")]
    for config in configs:
        xenvm("create", "-q", config).check()

    xenvm.script([*SCRIPT, *configs]).check()

    assert [guest.domid for guest in xen_host.guests()] == [3, 4]
    for name in ("web", "db"):
        xen_host.guest(name).wait_up()


def test_a_guest_that_does_not_listen_is_destroyed(xen_host, xenvm):
    config = xen_host.config("deaf", behaviour="ignore-shutdown")
    xenvm("create", "-q", config).check()

    done = xenvm.script([*SCRIPT, config])

    assert done.code == 0
    assert "deaf does not shut down, it is destroyed" in done.err


def test_it_stops_at_the_first_that_does_not_come_back(xen_host, xenvm):
    broken, good = xen_host.config("broken", disks=1), xen_host.config("good")
    for config in (broken, good):
        xenvm("create", "-q", config).check()
    Path(xen_host.disk("broken-0")).unlink()

    done = xenvm.script([*SCRIPT, broken, good])

    assert done.code == 1 and "broken does not come back" in done.err
    assert [guest.name for guest in xen_host.guests()] == ["good"]


@pytest.mark.parametrize("xen", ["4.17", "4.20", "4.22"])
@pytest.mark.parametrize("gic", ["v2", "v3"])
def test_on_every_xen(xen_hosts, xen, gic):
    from xenvm.testing.commands import Commands

    host = xen_hosts(xen=xen, gic=gic, memory="1G")
    config = host.config("guest")
    host.create("guest")
    Commands(host).script([*SCRIPT, config]).check()
    assert host.guest("guest").domid == 2
