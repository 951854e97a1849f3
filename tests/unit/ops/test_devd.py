"""Driver domains on a simulated host: devd beside the kernel's back ends, and the toolstack that waits for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.driverdomain import DriverDomain, InnerHost
from tests.support.simworld import SimWorld
from xenbus.errors import StoreClosed
from xenbus.request import Write
from xenvm.errors import DeviceError, HostError
from xenvm.guest.disk import parse_disk
from xenvm.guest.vif import parse_vif
from xenvm.host.hyper import DomainInfo
from xenvm.host.plumbing import locks
from xenvm.host.plumbing.block import BlockAttachment
from xenvm.ops import backends, devd, gc
from xenvm.ops.attach import attach_disk, attach_nic
from xenvm.ops.detach import detach
from xenvm.ops.explain import look
from xenvm.ops.records import Record, belongings
from xenvm.types import Domid

CLIENT = "22222222-2222-3333-4444-555555555555"


@pytest.fixture
def world(tmp_path: Path) -> SimWorld:
    return SimWorld(tmp_path)


@pytest.fixture
def driver(world: SimWorld) -> DriverDomain:
    made = DriverDomain(world)
    made.start()
    return made


def client(driver: DriverDomain, **settings: object) -> DomainInfo:
    """A guest whose disk and vif the driver domain serves."""
    world = driver.world
    disk = f"{world.folder}/disk.img,raw,xvda,rw,backend=driver"
    given: dict[str, object] = {"disk": [disk], "vif": ["backend=driver,bridge=br7"], **settings}
    info = world.host.hyper.domain(world.create(name="client", uuid=CLIENT, **given))
    assert info is not None
    world.world.settle()
    return info


def device(world: SimWorld, info: DomainInfo, kind: str) -> Record:
    return next(found for found in belongings(world.host, info.domid).devices if found.kind == kind)


def told(world: SimWorld, info: DomainInfo, kind: str) -> str:
    """What explain says of a device."""
    return next(each.diagnosis.sentence for each in look(world.host, info).devices if each.kind == kind)


def test_it_serves_a_disk_and_a_vif(driver: DriverDomain) -> None:
    world, before = driver.world, driver.world.traces()
    info = client(driver)
    assert look(world.host, info).well
    back = f"{driver.top}/vbd/{info.domid}/51712"
    node = world.read(f"{back}/node")
    assert node is not None and list(world.world.plumbing.block.loops) == [node]
    assert world.read(f"{driver.top}/vif/{info.domid}/0/hotplug-status") == "connected"
    detach(world.host, info, device(world, info, "vif"))
    detach(world.host, info, device(world, info, "vbd"))
    assert not world.world.plumbing.block.loops and world.read(driver.top) is None
    attach_disk(world.host, info, parse_disk(f"{world.folder}/disk.img,raw,xvdb,r,backend={driver.domid}"))
    attach_nic(world.host, info, parse_vif("backend=driver", 3))
    world.world.settle()
    assert look(world.host, info).well
    assert world.destroy(info.domid) == []
    assert driver.said[-2:] == [f"vbd 51728 of domain {info.domid} is gone", f"vif 3 of domain {info.domid} is gone"]
    assert world.traces()["nodes"] == before["nodes"] and not world.world.plumbing.block.loops


def test_without_devd(world: SimWorld) -> None:
    """The guest starts, as with xl; explain says what is missing, and nothing is left of it in the end."""
    driver = DriverDomain(world)
    before = world.traces()
    info = client(driver)
    for kind, node in (("vbd", "physical-device"), ("vif", "hotplug-status")):
        missing = f"back end waits for {node}; devd in domain {driver.domid} has not written it"
        assert told(world, info, kind).startswith(missing)
    vif = device(world, info, "vif")
    with pytest.raises(DeviceError, match=r"devd in domain 1 has not cleared it away.* --force takes it away"):
        detach(world.host, info, vif)
    detach(world.host, info, vif, force=True)
    (trouble,) = world.destroy(info.domid)
    assert trouble.startswith(f"the back end of vbd 51712 of domain {info.domid} has closed, and devd in domain")
    assert world.traces()["nodes"] == before["nodes"]


def test_a_xen_that_keeps_guests_apart(world: SimWorld) -> None:
    """Drivers tell of it by the number of EPERM; a front end that fails otherwise has another reason."""
    info = client(DriverDomain(world))
    back, front = (f"/local/domain/{domid}" for domid in (1, info.domid))
    store = world.host.store
    store.batch_checked([Write(f"{back}/backend/vif/{info.domid}/0/hotplug-status", "connected")])
    store.write(f"{front}/device/vif/0/state", "6")
    for error, silo in (("1 allocating event channel", True), ("12 no memory", False)):
        store.write(f"{front}/error/device/vif/0/error", error)
        assert ("Xen keeps guests apart unless it is started with xsm=dummy" in told(world, info, "vif")) == silo


def test_it_takes_over_what_is_there(driver: DriverDomain) -> None:
    """What came before it started, and what another devd has plugged in."""
    driver.stop()
    info, world = client(driver), driver.world
    driver.start()
    plugged = [f"vbd 51712 of domain {info.domid} is plugged in", f"vif 0 of domain {info.domid} is plugged in"]
    assert driver.said == plugged and look(world.host, info).well
    driver.start()
    assert driver.said == []
    assert world.destroy(info.domid) == [] and not world.world.plumbing.block.loops
    assert len(driver.said) == 2


def test_a_device_that_cannot_be_served(driver: DriverDomain) -> None:
    world = driver.world
    info = client(driver, disk=["/no/such,raw,xvda,rw,backend=driver"])
    reason = "/no/such: cannot be used as a disk: No such file or directory"
    assert driver.said[0] == f"vbd 51712 of domain {info.domid} cannot be served: {reason}"
    assert reason in told(world, info, "vbd") and told(world, info, "vif") == "both ends are connected"
    back = f"{driver.top}/vbd/{info.domid}/51712"
    assert world.read(f"{back}/hotplug-status") == "error"
    world.host.store.write(f"{back}/online", "1")
    assert len(driver.said) == 2, "nothing is tried again"
    assert world.destroy(info.domid) == [] and world.read(driver.top) is None


def test_a_disk_is_not_given_to_two_guests(driver: DriverDomain) -> None:
    info, world = client(driver), driver.world
    disk = f"{world.folder}/disk.img,raw,xvda,r,backend=driver"
    other = world.create(name="other", uuid=CLIENT.replace("2", "3"), vif=[], disk=[disk])
    world.world.settle()
    assert f"is in use by domain {info.domid} through /dev/simloop0" in driver.said[-1]
    for domid in (other, info.domid):
        assert world.destroy(domid) == []
    assert not world.world.plumbing.block.loops


def test_scripts_are_run_there(driver: DriverDomain, monkeypatch: pytest.MonkeyPatch) -> None:
    world, run = driver.world, []
    store = world.world.peer_client(driver.domid)

    def script(task: object, _error: object, adding: bool) -> None:
        run.append((task.script, task.environment()["XENBUS_PATH"], adding))  # type: ignore[attr-defined]
        if adding:
            back = f"/local/domain/{driver.domid}/{run[-1][1]}"
            store.write(f"{back}/hotplug-status", "connected")

    monkeypatch.setattr(world.world.plumbing.scripts, "attach", lambda *args: script(*args, True))
    monkeypatch.setattr(world.world.plumbing.scripts, "detach", lambda *args: script(*args, False))
    info = client(driver, disk=["/x,raw,xvda,rw,backend=driver,script=mine"], vif=["backend=driver,script=/own"])
    world.destroy(info.domid)
    vbd, vif = (f"backend/{kind}/{info.domid}/{devid}" for kind, devid in (("vbd", 51712), ("vif", 0)))
    disk = "/etc/xen/scripts/mine"
    assert sorted(run) == [(disk, vbd, False), (disk, vbd, True), ("/own", vif, False), ("/own", vif, True)]


def test_nodes_that_are_removed_under_it(driver: DriverDomain) -> None:
    """By somebody who does not wait: what was plugged in is given back, and another device may come there."""
    info, world = client(driver, vif=[]), driver.world
    world.host.store.remove(f"{driver.top}/vbd")
    world.world.settle()
    assert not world.world.plumbing.block.loops
    assert world.destroy(info.domid) == []


def test_what_no_toolstack_has_made(driver: DriverDomain) -> None:
    world, store = driver.world, driver.world.host.store
    for path in ("vbd/x/y/state", "vif/1/9/state", "vbd/70000/1/state", "vkbd/1/0/state", "vif/1/-3/online"):
        store.write(f"{driver.top}/{path}", "2")
    world.world.settle()
    assert driver.said == []


def test_a_device_that_goes_while_it_is_plugged_in(driver: DriverDomain, monkeypatch: pytest.MonkeyPatch) -> None:
    world, block = driver.world, driver.world.world.plumbing.block
    attach, store = block.attach, driver.world.world.peer_client()

    def removed(*args: object, **kwargs: object) -> BlockAttachment:
        made: BlockAttachment = attach(*args, **kwargs)  # type: ignore[arg-type]
        store.remove(driver.top)
        return made

    driver.stop()
    info = client(driver, vif=[])
    monkeypatch.setattr(block, "attach", removed)
    driver.start()
    assert not block.loops and world.read(driver.top) is None
    world.destroy(info.domid)


# The toolstack, when the driver domain goes first.


def test_a_driver_domain_that_is_gone(driver: DriverDomain) -> None:
    world = driver.world
    info = client(driver)
    driver.end()
    gone = f"back end is gone: domain {driver.domid}, which serves it, does not exist; `xenvm block-detach client xvda"
    assert told(world, info, "vbd").startswith(gone)
    clock = world.world.now
    detach(world.host, info, device(world, info, "vbd"))
    assert world.read(f"/local/domain/{info.domid}/device/vbd") is None and world.world.now == clock
    assert world.destroy(info.domid) == []
    assert world.read(f"/local/domain/{driver.domid}") is None


def test_gc_finds_what_nobody_serves(driver: DriverDomain) -> None:
    """It goes by its own id only: a guest that is restarted is to have it again."""
    world = driver.world
    info = client(driver, disk=[])
    assert gc.find(world.host) == []
    driver.end()
    (found,) = gc.find(world.host)
    assert (found.id, found.sure) == (f"device:{info.domid}/vif/0", False)
    sentence = f"vif 0 of domain {info.domid} was served by domain {driver.domid}, which does not exist"
    assert (found.sentence, found.remedy) == (sentence, f"xenvm network-detach {info.domid} 0")
    assert gc.remove(world.host, [found]) == []
    assert gc.find(world.host) == []


def test_a_driver_domain_that_has_crashed(driver: DriverDomain) -> None:
    world = driver.world
    info = client(driver)
    driver.hang()
    world.host.hyper.shutdown(driver.domid, 3)
    assert "which serves it, has gone down" in told(world, info, "vif")
    detach(world.host, info, device(world, info, "vbd"))
    held = f"domain {info.domid} is dead, but some of its pages are still held by another domain"
    assert world.destroy(info.domid) == [held] and world.read(driver.top) is None
    driver.end()
    assert [each.domid for each in world.host.hyper.domains()] == [0]


def test_a_creation_whose_driver_domain_goes(world: SimWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = DriverDomain(world)
    driver.hang()
    monkeypatch.setattr(backends, "failing", lambda _host, domid: f"domain {domid} has gone")
    with pytest.raises(DeviceError, match="vbd 51712: domain 1 has gone"):
        client(driver)
    info = world.host.hyper.domain(world.create(name="client", uuid=CLIENT, disk=[], vif=[]))
    assert info is not None
    with pytest.raises(DeviceError, match="vif 0: domain 1 has gone"):
        attach_nic(world.host, info, parse_vif("backend=driver", 0))
    assert world.read(driver.top) is None


# The daemon.


def test_where_it_does_not_run(world: SimWorld) -> None:
    inner = InnerHost(world.world, Domid(0))
    with pytest.raises(HostError, match="this is domain 0"):
        devd.run(inner, print)
    world.host.store.remove("/local/domain/0/domid")
    with pytest.raises(HostError, match="it has no node domid"):
        devd.run(inner, print)


def test_it_runs_once_and_outlives_its_connection(
    world: SimWorld, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    driver, said, pulses = DriverDomain(world), [], []  # type: ignore[var-annotated]
    monkeypatch.setattr(devd, "LOCK", f"{tmp_path}/lock")
    info = client(driver, vif=[])
    inner = InnerHost(world.world, driver.domid)

    def say(text: str) -> None:
        said.append(text)
        if len(said) == 1:
            inner.store.close()

    def pulse() -> None:
        pulses.append(list(said))
        if len(pulses) > 1 or f"vbd 51712 of domain {info.domid} is plugged in" in said:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        devd.run(inner, say, pulse)
    assert said[0] == f"serving the disks and vifs of {driver.top}"
    assert said[-1] == f"vbd 51712 of domain {info.domid} is plugged in"
    with locks.FileLock(f"{tmp_path}/lock"), pytest.raises(HostError, match="another devd"):
        devd.run(InnerHost(world.world, driver.domid), said.append)


def test_a_connection_that_is_lost_at_work(driver: DriverDomain, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not taken for a fault of the device."""
    assert driver.daemon is not None
    monkeypatch.setattr(driver.daemon.devd, "_see_to", lambda _place: (_ for _ in ()).throw(StoreClosed("s", "gone")))
    with pytest.raises(StoreClosed):
        driver.daemon.devd.look([f"{driver.top}/vbd/3/51712/state"])
