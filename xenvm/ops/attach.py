"""A disk or a vif for a guest that runs: from its description to a back end that waits for the guest.

Both ends' nodes and the toolstack's record appear in one transaction, as libxl has it. Whether the guest's driver
then takes the device is the guest's own business and is not waited for, as with xl.
"""

from __future__ import annotations

from xenbus.errors import StoreClosed, StoreError, XenbusError
from xenbus.request import Discard, Read, Write
from xenvm.errors import DeviceError, DomainError, NoSuchDomain, XenvmError
from xenvm.guest.blueprint import check_disk, chosen_nic
from xenvm.ops import xlrecord
from xenvm.ops.backends import check_servers, resolved
from xenvm.ops.detach import guest_lock, remove
from xenvm.ops.plumb import Plumbing, back_end_ready, writes
from xenvm.ops.records import known
from xenvm.ops.signals import Shield

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from xenbus.request import Request
    from xenbus.transaction import Transaction
    from xenvm.guest.nodes import Device
    from xenvm.guest.spec import DiskSpec, NicSpec
    from xenvm.host.hyper import DomainInfo
    from xenvm.host.open import Host

READY_SECONDS = 40.0
"""How long the back end may take to wait for the guest; as long as at a creation."""
ATTACHING = "attaching"
"""The node of a record that says which process has yet to plug the device in; a process that died never will."""
CHOOSE = -1
"""The devid of a vif whose number is to be chosen."""


def attach_disk(host: Host, info: DomainInfo, disk: DiskSpec, *, use_scripts: bool = False) -> Device:
    """Gives a running guest a disk, and returns it. Whatever fails, nothing of it is left."""
    check_disk(disk)
    disk = resolved(host, f"disk {disk.vdev}", disk)
    return _Attachment(host, info, use_scripts).run(lambda: ([disk], []))


def attach_nic(host: Host, info: DomainInfo, nic: NicSpec, *, use_scripts: bool = False) -> Device:
    """The same for a vif; its devid may be CHOOSE, and its MAC and bridge left open."""
    nic = resolved(host, "vif", nic)
    return _Attachment(host, info, use_scripts).run(lambda: ([], [chosen_nic(_numbered(host, info, nic))]))


def _numbered(host: Host, info: DomainInfo, nic: NicSpec) -> NicSpec:
    """The same vif with its number chosen, as libxl does it: one more than the highest."""
    if nic.devid != CHOOSE:
        return nic
    taken = host.store.list_or_empty(f"/libxl/{info.domid}/device/vif")
    return nic.replace(devid=max((int(devid) for devid in taken if devid.isdecimal()), default=-1) + 1)


class _Attachment:
    """One attachment under way."""

    def __init__(self, host: Host, info: DomainInfo, use_scripts: bool) -> None:
        if info.shutdown or info.dying:
            raise DomainError(f"domain {info.domid} has gone down: it can have no new device")
        self._host, self._info, self._use_scripts = host, info, use_scripts
        self._plumbing: Plumbing | None = None
        self._device: Device | None = None
        """Once its nodes may be in the store."""

    def run(self, specs: Callable[[], tuple[list[DiskSpec], list[NicSpec]]]) -> Device:
        """All of it. While `specs` says which device it is, no other toolstack gives this guest one."""
        info, release = self._info, self._host.hyper.version.release
        try:
            with guest_lock(self._host, info.domid, info.uuid):
                disks, nics = specs()
                plumbing = Plumbing(self._host, disks, nics, info.uuid, release, use_scripts=self._use_scripts)
                self._plumbing = plumbing
                device = self._write(plumbing)
                for disk in disks:
                    xlrecord.add(self._host, info, disk)
                for nic in nics:
                    xlrecord.add(self._host, info, nic)
            name = f"{device.kind} {device.devid} of domain {device.domid}"
            self._await_back_end(name, device)
            plumbing.finish(info.domid)
            if plumbing.has_more(device):
                self._host.store.batch_checked([Discard(f"{device.record}/{ATTACHING}")])
            return device
        except BaseException as error:
            with Shield():
                self._undo(error)
            raise

    def _write(self, plumbing: Plumbing) -> Device:
        """Checks, loop devices, and the nodes."""
        store, domid = self._host.store, self._info.domid
        plumbing.check()
        if questions := plumbing.questions(self._host.hyper.domains()):
            plumbing.check_sharing(questions, [known(reply) for reply in store.batch(questions)])
        plumbing.attach_disks()
        (device,) = plumbing.disks(domid) + plumbing.nics(domid)
        who = self._host.plumbing.locks.claim() if plumbing.has_more(device) else ""
        try:
            self._device = device
            store.transact(lambda tx: device_nodes(tx, device, who))
        except (StoreError, XenvmError):
            self._device = None  # It was refused as a whole.
            raise
        plumbing.committed()
        return device

    def _await_back_end(self, name: str, device: Device) -> None:
        path, server = f"{device.backend}/state", device.backend_domid

        def ready(values: Mapping[str, bytes | None]) -> bool:
            if server:
                check_servers(self._host, [device])
            if values[path] is None:
                raise DeviceError(name, "somebody removed it while it was attached")
            return back_end_ready(name, values[path], server)

        served_by = f" in domain {server}" if server else ""
        with self._host.store.follow([path, "@releaseDomain"] if server else [path]) as follower:
            deadline = self._host.store.clock() + READY_SECONDS
            follower.wait(ready, deadline, f"the back end{served_by} of {name}")

    def _undo(self, error: BaseException) -> None:
        """Takes everything back; the error's notes say what would not go."""
        troubles = [] if self._plumbing is None else self._plumbing.undo()
        if (device := self._device) is not None:
            for step in (self._remove, self._free_loop_device):
                try:
                    troubles += step(device)
                except (XenvmError, XenbusError, OSError) as second:
                    name = f"{device.kind} {device.devid} of domain {device.domid}"
                    troubles.append(f"{name} could not be removed again: {second}")
        for trouble in troubles:
            error.add_note(trouble)

    def _remove(self, device: Device) -> list[str]:
        try:
            return remove(self._host, self._info, device.kind, device.devid)
        except StoreClosed:
            self._host.reconnect()
            return remove(self._host, self._info, device.kind, device.devid)

    def _free_loop_device(self, device: Device) -> list[str]:
        """Even if somebody who destroys the guest has removed the only nodes that tell of it."""
        if node := dict(device.plumbed).get("node"):
            self._host.plumbing.block.detach(node, dict(device.back)["params"])
        return []


def device_nodes(tx: Transaction, device: Device, who: str = "") -> list[Request]:
    """All nodes of a device, unless the guest has gone or has such a device; `who` is not done with it by then."""
    # A guest that Xen itself started (dom0less) has no directory of devices before its first one.
    paths = f"/local/domain/{device.domid}/name", f"/libxl/{device.domid}", f"{device.record}/backend"
    name, records, record = map(known, tx.batch([Read(path) for path in paths]))
    if name is None or records is None:
        raise NoSuchDomain(device.domid)
    if record is not None:
        raise DeviceError(f"{device.kind} {device.devid}", f"domain {device.domid} has this device already")
    # What somebody left there without a record must not be taken for a part of it.
    unfinished = [Write(f"{device.record}/{ATTACHING}", who)] if who else []
    return [Discard(device.frontend), Discard(device.backend), *writes(device.nodes()), *unfinished]
