"""Run in a lab's dom0: commands that a SIGKILL ends at some call, and what `xenvm gc` makes of what they leave.

``python3 -m tests.lab.killed CONFIG DISK`` prints one JSON object a line: the operation, the call, what gc found, and
what was left after it. A call is a hypercall, or a request to the store.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from _thread import allocate_lock
from collections.abc import Callable
from typing import Any

from xenbus import wire
from xenbus.tree import walk
from xenvm.guest.disk import parse_disk
from xenvm.guest.load import load_file
from xenvm.guest.spec import GuestSpec
from xenvm.guest.vif import parse_vif
from xenvm.host.hyper import DomainInfo
from xenvm.host.open import Host
from xenvm.ops import gc
from xenvm.ops.attach import attach_disk, attach_nic
from xenvm.ops.create import Options, create
from xenvm.ops.destroy import destroy
from xenvm.ops.detach import remove

Act = Callable[[Host], object]
DEVID = {"vbd": 51728, "vif": 1}


class Doomed:
    """Counts the calls of this process, and kills it just before number `last`."""

    def __init__(self, last: int) -> None:
        self.count, self._last, self._lock = 0, last, allocate_lock()

    def host(self) -> Host:
        """A host whose calls are counted."""
        host = Host()
        host._hyper = _Hyper(host.hyper, self.tick)  # type: ignore[assignment]
        send, link = host.store.link._port.send, host.store.link
        link._port.send = lambda data: self._send(send, link, bytes(data))  # type: ignore[method-assign]
        return host

    def tick(self) -> None:
        with self._lock:
            self.count += 1
            if self.count == self._last:
                os.kill(os.getpid(), signal.SIGKILL)

    def _send(self, send: Callable[[bytes], int], link: Any, data: bytes) -> int:
        """Packet by packet: a process may die with half of its requests under way."""
        for op, req_id, tx_id, payload in wire.Decoder().feed(data):
            self.tick()
            rest = wire.pack(op, req_id, tx_id, payload)
            while rest := rest[send(rest) :]:
                link._port.wait_for_room(1.0)
        return len(data)


class _Hyper:
    def __init__(self, hyper: Any, tick: Callable[[], None]) -> None:
        self._hyper, self._tick = hyper, tick

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._hyper, name)
        if not callable(found):
            return found

        def call(*arguments: Any, **named: Any) -> Any:
            self._tick()
            return found(*arguments, **named)

        return call


def run(act: Act, last: int) -> int:
    """Does it in a process of its own, which dies before call `last`; how many calls it made if it lived."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            doomed = Doomed(last)
            act(doomed.host())
            os.write(writer, str(doomed.count).encode())
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(writer)
    with open(reader, encoding="ascii") as file:
        said = file.read()
    assert os.waitpid(pid, 0)[1] in (0, signal.SIGKILL)
    return int(said or 0)


def traces(host: Host) -> dict[str, list[str]]:
    """Everything that could be left behind, as Dom0.traces has it, in one process."""
    nodes = walk(host.store)
    bound = [name for name in os.listdir("/sys/block") if os.path.exists(f"/sys/block/{name}/loop/backing_file")]
    return {
        "domains": [str(info.domid) for info in host.hyper.domains()],
        "nodes": sorted(node for node in nodes if node.startswith(("/local/", "/libxl/", "/vm/"))),
        "loops": sorted(bound),
        "vifs": sorted(name for name in os.listdir("/sys/class/net") if name.startswith("vif")),
        "back ends": sorted(os.listdir("/sys/bus/xen-backend/devices")),
        "userdata": sorted(os.listdir("/var/lib/xen")),
    }


def settled(host: Host, wanted: dict[str, list[str]]) -> dict[str, list[str]]:
    """What there is, once the kernel has taken notice of what was removed: it does so in its own time."""
    for _ in range(20):
        if (now := traces(host)) == wanted:
            break
        gc._let_pass(host, 0.2)
    return now


def guest(host: Host) -> DomainInfo:
    (info,) = [info for info in host.hyper.domains() if info.domid]
    return info


def one(name: str, act: Act, undo: Act, last: int, before: dict[str, list[str]]) -> None:
    """One kill, and what becomes of what it leaves."""
    run(act, last)
    with Host() as host:
        found = gc.find(host)
        troubles = gc.remove(host, gc.choose(found, [], True))
        whole = settled(host, before) != before
        if whole:
            undo(host)
        after = settled(host, before)
        left = {key: [x for x in after[key] if x not in before[key]] for key in after if after[key] != before[key]}
        ids = [finding.id for finding in found]
    row = {"operation": name, "call": last, "found": ids, "troubles": troubles, "whole": whole, "left": left}
    print(json.dumps(row), flush=True)


def sweep(name: str, act: Act, undo: Act, prepare: Act, moments: tuple[float, ...]) -> None:
    """Kills at these parts of the way, of which 1 is the whole of it."""
    with Host() as host:
        before = traces(host)
        prepare(host)
    calls = run(act, 0)
    with Host() as host:
        undo(host)
    for moment in moments:
        with Host() as host:
            prepare(host)
        one(name, act, undo, max(1, round(calls * moment)), before)


def nothing(host: Host) -> None:
    """Needs nothing."""


def everything(spec: GuestSpec, disk: str) -> None:
    """A sample of moments of each operation."""

    def make(host: Host) -> None:
        create(host, spec, Options(paused=True))

    def end(host: Host) -> None:
        for info in host.hyper.domains():
            if info.domid:
                assert not destroy(host, info.domid, info.uuid)

    def plug_disk(host: Host) -> None:
        attach_disk(host, guest(host), parse_disk(f"{disk},raw,xvdb,rw"))

    def plug_vif(host: Host) -> None:
        attach_nic(host, guest(host), parse_vif("bridge=xenbr0,devid=1", 1))

    def unplug(host: Host) -> None:
        for kind, devid in DEVID.items():
            assert not remove(host, guest(host), kind, devid)

    sweep("create", make, end, nothing, (0.08, 0.5, 0.93, 0.98))
    sweep("destroy", lambda host: destroy(host, guest(host).domid, guest(host).uuid), end, make, (0.7, 0.85, 0.98))
    with Host() as host:
        make(host)
    sweep("attach vbd", plug_disk, unplug, nothing, (0.6,))
    sweep("attach vif", plug_vif, unplug, nothing, (0.6, 0.9))
    sweep("detach vbd", lambda host: remove(host, guest(host), "vbd", DEVID["vbd"]), unplug, plug_disk, (0.75, 0.9))
    with Host() as host:
        end(host)


if __name__ == "__main__":
    everything(load_file(sys.argv[1])[0], sys.argv[2])
