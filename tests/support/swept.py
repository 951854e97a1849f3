"""What the sweeps of faults go through: create and destroy, attach and detach of a disk and of a vif, and gc itself.

``XENVM_SWEEP=full`` has the tests try every fault of every call (`make sweep`), instead of a share.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from tests.support.simworld import SimWorld
from tests.support.sweep import Operation, Sweep
from xenvm.errors import HostError
from xenvm.guest.disk import parse_disk
from xenvm.guest.vif import parse_vif
from xenvm.host.hyper import DomainInfo
from xenvm.host.sim.host import SimHost
from xenvm.ops import create, detach, devices, gc
from xenvm.ops.attach import attach_disk, attach_nic
from xenvm.ops.destroy import destroy

FULL = os.environ.get("XENVM_SWEEP") == "full"


def guest(sim: SimWorld) -> DomainInfo:
    """The only guest there is."""
    (info,) = [info for info in sim.world.hyper.domains() if info.domid]
    return info


def begin(sim: SimWorld) -> None:
    sim.create()
    sim.world.settle()


def end(sim: SimWorld) -> None:
    for info in sim.world.hyper.domains():
        if info.domid:
            assert destroy(sim.host, info.domid, info.uuid) == []


CREATE = Operation(
    "create",
    lambda sim: None,
    lambda sim, host: create.create(host, sim.spec(vuart="sbsa_uart"), create.DEFAULTS),
    end,
)
DESTROY = Operation("destroy", begin, lambda sim, host: destroy(host, guest(sim).domid, guest(sim).uuid), end)


def add(sim: SimWorld, host: SimHost, kind: str) -> object:
    if kind == "vbd":
        return attach_disk(host, guest(sim), parse_disk(f"{sim.folder}/more.img,raw,xvdb,rw"))
    return attach_nic(host, guest(sim), parse_vif("mac=00:16:3e:00:00:07,bridge=xenbr0,devid=1", 1))


def added(sim: SimWorld, kind: str) -> None:
    add(sim, sim.host, kind)
    sim.world.settle()


def take(sim: SimWorld, host: SimHost, kind: str) -> None:
    find, who = {"vbd": (devices.find_disk, "xvdb"), "vif": (devices.find_nic, "1")}[kind]
    detach.detach(host, guest(sim), find(host, guest(sim).domid, who))


def taken(sim: SimWorld, kind: str) -> None:
    assert detach.remove(sim.host, guest(sim), kind, {"vbd": 51728, "vif": 1}[kind]) == []


def attachment(kind: str) -> Operation:
    return Operation(f"attach {kind}", lambda sim: None, lambda s, h: add(s, h, kind), lambda sim: taken(sim, kind))


def detachment(kind: str) -> Operation:
    return Operation(
        f"detach {kind}", lambda s: added(s, kind), lambda s, h: take(s, h, kind), lambda s: taken(s, kind)
    )


def litter(sim: SimWorld) -> None:
    """What several commands have left that died."""
    begin(sim)
    domid = guest(sim).domid
    for path in (f"/libxl/{domid}/ending", "/libxl/77/type", "/local/domain/0/backend/vif/77/0/params"):
        sim.host.store.write(path, "1")
    sim.world.plumbing.block.loops.restore([("/dev/simloop9", "/old.img", False)])


def collect(host: SimHost) -> None:
    if troubles := gc.remove(host, gc.choose(gc.find(host), [], True)):
        raise HostError("; ".join(troubles))


def sweep_device(sweep: Sweep, kind: str) -> None:
    begin(sweep.sim)
    sweep.run(attachment(kind))
    sweep.run(detachment(kind))


def sweep_gc(sweep: Sweep) -> None:
    sweep.run(Operation("gc", litter, lambda _, host: collect(host), lambda _: None), every=1 if sweep.full else 7)


ALL: dict[str, Callable[[Sweep], None]] = {
    "create": lambda sweep: sweep.run(CREATE),
    "destroy": lambda sweep: sweep.run(DESTROY),
    "disk": lambda sweep: sweep_device(sweep, "vbd"),
    "vif": lambda sweep: sweep_device(sweep, "vif"),
    "gc": sweep_gc,
}


def swept(name: str, folder: Path, full: bool) -> Sweep:
    """One of them, in a world of its own in `folder`."""
    sim = SimWorld(folder)
    (folder / "more.img").write_bytes(bytes(1 << 16))
    try:
        sweep = Sweep(sim, full)
        ALL[name](sweep)
        return sweep
    finally:
        sim.host.close()
