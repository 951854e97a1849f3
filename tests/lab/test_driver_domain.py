"""A driver domain: a guest whose own kernel, and xenvm devd in it, serve another guest's disk and vif."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.conftest import SUITES, booted
from tests.lab.dom0 import Dom0
from tests.lab.test_hotplug import ask

DRIVER, CLIENT = "driver", "client"
RAMDISK = "/root/driver.gz"
DISK, VIF = f"/served.img,raw,xvda,rw,backend={DRIVER}", f"bridge=xenbr7,backend={DRIVER}"
_START = 'printf "/driver\\n" >"$(xenstore-read "/local/domain/$(xl domid "$1")/console/tty")"'


@pytest.fixture(scope="module", params=SUITES)
def dom0(request: pytest.FixtureRequest) -> Iterator[Dom0]:
    """A host of its own: by default Xen on ARM lets no guest serve another."""
    with booted(request.param, "xsm=dummy") as host:
        yield host


@pytest.fixture(scope="module")
def empty(dom0: Dom0) -> Iterator[dict[str, list[str]]]:
    """The traces of a host without any guest, for which the RAM disk of a driver domain is made."""
    if "xsm=dummy" not in dom0.xenvm("info"):
        pytest.skip("Xen keeps guests apart here: the lab has to be started with --xen-args xsm=dummy")
    before = dom0.traces()
    dom0.ok(["python3", "/mnt/xenvm/tests/lab/driverguest.py", RAMDISK])
    try:
        yield before
    finally:
        dom0.destroy_all()
        dom0.run(["rm", "-f", RAMDISK])


@pytest.fixture
def driver(dom0: Dom0, empty: dict[str, list[str]]) -> Dom0:
    """A driver domain that runs, with devd in it, and no client of it."""
    dom0.run(["xl", "destroy", CLIENT])
    if dom0.run(["xl", "domid", DRIVER]).rc:
        dom0.forget_console(DRIVER)
        dom0.xenvm("create", dom0.config(DRIVER, ramdisk=RAMDISK, memory=320, driver_domain=1))
        dom0.console(DRIVER, "xenvm-guest: ready")
        dom0.ok(["bash", "-c", _START, "start", DRIVER])
        assert "serving" in dom0.console(DRIVER, "serving the disks and vifs of /local/domain/|^xenvm: ")
    return dom0


def test_a_driver_domain_serves_a_disk_and_a_vif(driver: Dom0) -> None:
    before = driver.traces()
    driver.forget_console(CLIENT)
    cmdline = "console=hvc0 guest.ip=10.77.0.2/24 guest.ping=10.77.0.1 guest.write=from-the-client"
    driver.xenvm("create", driver.config(CLIENT, cmdline=cmdline, disk=[DISK], vif=[VIF]))
    driver.console(CLIENT, "wrote from-the-client")
    driver.console(CLIENT, "ping 10.77.0.1 ok")
    driver.console(CLIENT, "xenvm-guest: ready")
    assert driver.xenvm("explain", CLIENT).count("both ends are connected") == 2
    driver.xenvm("network-detach", CLIENT, "0")
    driver.xenvm("block-detach", CLIENT, "xvda")
    # A disk that is not there: devd tells why, and goes on.
    driver.xenvm("block-attach", CLIENT, DISK.replace("served", "no-such"))
    driver.console(DRIVER, "cannot be served: /no-such.img: cannot be used as a disk: No such file or directory")
    assert "/no-such.img: cannot be used as a disk" in driver.run(["xenvm", "explain", CLIENT]).stdout
    driver.xenvm("block-detach", CLIENT, "xvda")
    driver.xenvm("block-attach", CLIENT, DISK)
    found = "until [ -e /dev/xvda ]; do usleep 100000; done; head -c 15 /dev/xvda; echo"
    ask(driver, found, "^from-the-client", name=CLIENT)
    driver.xenvm("destroy", CLIENT)
    assert driver.settled(before) == before


def test_a_driver_domain_that_goes_first(driver: Dom0, empty: dict[str, list[str]]) -> None:
    """What it has served is cleared away all the same."""
    driver.xenvm("create", "-p", driver.config(CLIENT, disk=[DISK], vif=[VIF]))
    driver.xenvm("destroy", DRIVER)
    assert "which serves it, does not exist" in driver.run(["xenvm", "explain", CLIENT]).stdout
    driver.xenvm("destroy", CLIENT)
    assert driver.settled(empty) == empty
