"""A driver domain: a guest whose own kernel, and xenvm devd in it, serve another guest's disk and vif."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.lab.dom0 import Dom0
from tests.lab.test_hotplug import ask

DRIVER, CLIENT = "driver", "client"
RAMDISK = "/root/driver.gz"
DISK, VIF = f"/served.img,raw,xvda,rw,backend={DRIVER}", f"bridge=xenbr7,backend={DRIVER}"
_START = 'printf "/driver\\n" >"$(xenstore-read "/local/domain/$(xl domid "$1")/console/tty")"'


@pytest.fixture(scope="module")
def driver(dom0: Dom0) -> Iterator[Dom0]:
    """A driver domain that runs, with devd in it."""
    if "xsm=dummy" not in dom0.xenvm("info"):
        pytest.skip("Xen keeps guests apart here: the lab has to be started with --xen-args xsm=dummy")
    dom0.ok(["python3", "/mnt/xenvm/tests/lab/driverguest.py", RAMDISK])
    try:
        dom0.xenvm("create", dom0.config(DRIVER, ramdisk=RAMDISK, memory=320, driver_domain=1))
        dom0.console(DRIVER, "xenvm-guest: ready")
        dom0.ok(["bash", "-c", _START, "start", DRIVER])
        dom0.console(DRIVER, "serving the disks and vifs of /local/domain/")
        yield dom0
    finally:
        dom0.destroy_all()
        dom0.run(["rm", "-f", RAMDISK])


def create_client(dom0: Dom0, cmdline: str) -> None:
    dom0.xenvm("create", dom0.config(CLIENT, cmdline=f"console=hvc0 {cmdline}", disk=[DISK], vif=[VIF]))
    dom0.console(CLIENT, "xenvm-guest: ready")


def left(dom0: Dom0, before: dict[str, list[str]]) -> object:
    """What is there now and was not before; a driver domain's own devices come and go as its kernel likes."""
    now = dom0.settled(before)
    return {key: [line for line in lines if line not in before[key]] for key, lines in now.items()}


def test_a_driver_domain_serves_a_disk_and_a_vif(driver: Dom0) -> None:
    before = driver.traces()
    create_client(driver, "guest.ip=10.77.0.2/24 guest.ping=10.77.0.1 guest.write=from-the-client")
    driver.console(CLIENT, "wrote from-the-client")
    driver.console(CLIENT, "ping 10.77.0.1 ok")
    assert "both ends are connected" in driver.xenvm("explain", CLIENT)
    driver.xenvm("block-detach", CLIENT, "xvda")
    driver.xenvm("network-detach", CLIENT, "0")
    domid = driver.domains()[CLIENT]["domid"]
    driver.console(DRIVER, f"vif 0 of domain {domid} is gone")
    driver.xenvm("block-attach", CLIENT, DISK)
    ask(
        driver,
        "until [ -e /dev/xvda ]; do usleep 100000; done; head -c 15 /dev/xvda; echo",
        "^from-the-client",
        name=CLIENT,
    )
    driver.xenvm("destroy", CLIENT)
    driver.console(DRIVER, f"vbd 51712 of domain {domid} is gone")
    assert not any(left(driver, before).values())  # type: ignore[attr-defined]


def test_a_disk_that_the_driver_domain_does_not_have(driver: Dom0) -> None:
    """devd tells why, goes on, and what it could not plug in goes as well."""
    before = driver.traces()
    driver.xenvm("create", driver.config(CLIENT, disk=["/no/such,raw,xvda,rw,backend=driver"]))
    driver.console(DRIVER, "cannot be served: /no/such cannot be used as a disk: No such file or directory")
    (found,) = [row for row in json.loads(driver.xenvm("explain", "--json", CLIENT))["devices"] if row["kind"] == "vbd"]
    assert "/no/such cannot be used as a disk" in json.dumps(found)
    driver.xenvm("destroy", CLIENT)
    assert not any(left(driver, before).values())  # type: ignore[attr-defined]


def test_a_driver_domain_that_goes_first(driver: Dom0) -> None:
    """What it has served is cleared away all the same. Nothing of it is left, so this comes last."""
    create_client(driver, "guest.ip=10.77.0.2/24")
    driver.xenvm("destroy", DRIVER)
    assert "does not exist" in driver.xenvm("explain", CLIENT)
    driver.xenvm("block-detach", CLIENT, "xvda")
    driver.xenvm("destroy", CLIENT)
    after = driver.settled(
        {**driver.traces(), "domains": ["Domain-0"], "nodes": [], "loops": [], "vifs": [], "back ends": []}
    )
    assert after["domains"] == ["Domain-0"] and not (after["nodes"] or after["loops"] or after["vifs"])
