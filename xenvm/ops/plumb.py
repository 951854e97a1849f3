"""Back ends of a guest's disks and vifs, in process where the scripts are the host's default ones.

The bash scripts are nearly all of the time that xl needs to create a guest. Whoever configured another script, or
asks for the scripts, gets them run by the documented protocol (docs/misc/block-scripts.txt, vif-common.sh).
"""

from __future__ import annotations

from xenbus import bus
from xenbus.frugal import Deferred
from xenbus.perm import parse_perms
from xenbus.request import List, Read, SetPerms, Write
from xenvm.errors import DeviceError
from xenvm.guest import nodes
from xenvm.guest.nodes import BLOCK_SCRIPT, VIF_SCRIPT
from xenvm.ops.records import known
from xenvm.ops.signals import Shield
from xenvm.ops.unplumb import error_reader
from xenvm.types import DOM0, Domid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from xenbus.perm import Perm
    from xenbus.request import Request
    from xenvm.guest.spec import DiskSpec, NicSpec
    from xenvm.host.hyper import DomainInfo
    from xenvm.host.open import Host
    from xenvm.host.plumbing import block, bridge, scripts
    from xenvm.host.plumbing.locks import FileLock
else:
    # Loaded for the guests that have such devices.
    _NAMES = ("block", "bridge", "scripts")
    block, bridge, scripts = (Deferred(f"xenvm.host.plumbing.{name}") for name in _NAMES)

INTERFACE_SECONDS = 10.0
"""How long netback may take to make an interface, once it waits for its front end."""


class Plumbing:
    """The disks and vifs of one creation, or those that a running guest gets; their back ends are domids by now.

    `uuid` is the guest's, `release` Xen's (major, minor). The steps, in order: `check`, `check_sharing`,
    `attach_disks`, `committed` once the nodes are written, `finish` once the back ends are there; `undo` at any time
    before `committed`.
    """

    def __init__(
        self,
        host: Host,
        disks: Sequence[DiskSpec],
        nics: Sequence[NicSpec],
        uuid: str,
        release: tuple[int, int],
        *,
        use_scripts: bool,
    ) -> None:
        self._host, self._disks, self._nics, self._vm, self._release = host, disks, nics, f"/vm/{uuid}", release
        # What another domain serves, that domain plugs.
        self._local_nics = [nic for nic in nics if nic.backend == "0"]
        self._own_disks = [
            disk for disk in disks if disk.backend == "0" and not use_scripts and is_default(disk.script, BLOCK_SCRIPT)
        ]
        self._own_nics = [nic for nic in self._local_nics if not use_scripts and needs_script(host, nic) is None]
        self._targets: dict[int, block.BlockTarget] = {}
        self._others: list[block.OtherDisk] = []
        self._attached: dict[int, block.BlockAttachment] = {}
        self._lock: FileLock | None = None

    def check(self) -> None:
        """Refuses disks, bridges and scripts that are not there; takes the lock of the block scripts."""
        for disk in self._own_disks:
            self._targets[disk.devid] = self._host.plumbing.block.resolve(disk.target, _mode(disk))
        for nic in self._local_nics:
            if nic.vifname:
                bridge.check_vifname(nic.vifname, f"vif {nic.devid}")
        for nic in self._own_nics:
            self._host.plumbing.bridge.find_bridge(nic.bridge or "", f"vif {nic.devid}")
        for device in self._scripted(Domid(0)):
            path = dict(device.back)["script"]
            if not self._host.plumbing.scripts.is_program(path):
                raise DeviceError(f"{device.kind} {device.devid}", f"its script {path} is no program on this host")
        if self._own_disks:
            self._lock = self._host.plumbing.block.lock()

    def questions(self, domains: Sequence[DomainInfo]) -> list[Request]:
        """What to ask the store about other guests' disks, in a round trip that is made anyway.

        Nothing where all disks are files that no loop device has: that is usual, however many guests there are.
        """
        if not any(map(self._host.plumbing.block.may_be_shared, self._targets.values())):
            return []
        return [List(f"/local/domain/0/backend/vbd/{info.domid}") for info in domains if info.domid]

    def check_sharing(self, questions: Sequence[Request], answers: Sequence[object]) -> None:
        """Refuses disks that another guest or this host uses in a way that would destroy data."""
        paths = [
            f"{question.path}/{devid}"
            for question, devids in zip(questions, answers, strict=True)
            if isinstance(devids, tuple)
            for devid in devids
        ]
        self._others = other_disks(self._host, paths) if paths else []
        for disk in self._own_disks:
            target = self._targets[disk.devid]
            self._host.plumbing.block.check_sharing(target, _mode(disk), vm=self._vm, others=self._others)

    def attach_disks(self) -> None:
        """Loop devices for the files, under the lock that `check` took."""
        for disk in self._own_disks:
            target, attach = self._targets[disk.devid], self._host.plumbing.block.attach
            with Shield():
                self._attached[disk.devid] = attach(target, _mode(disk), vm=self._vm, others=self._others)

    def disks(self, domid: Domid) -> list[nodes.Device]:
        """The vbds; those plumbed here have their hotplug nodes already, so blkback opens them at once."""
        return [
            nodes.disk_device(
                domid,
                disk,
                self._release,
                backend=Domid(int(disk.backend)),
                plumbed=hotplug_nodes(self._attached.get(disk.devid)),
            )
            for disk in self._disks
        ]

    def nics(self, domid: Domid) -> list[nodes.Device]:
        """The vifs."""
        return [nodes.nic_device(domid, nic, self._release, backend=Domid(int(nic.backend))) for nic in self._nics]

    def _scripted(self, domid: Domid) -> list[nodes.Device]:
        if len(self._own_disks) == len(self._disks) and len(self._own_nics) == len(self._nics):
            return []  # nearly always
        own = {("vbd", disk.devid) for disk in self._own_disks} | {("vif", nic.devid) for nic in self._own_nics}
        local = [device for device in self.disks(domid) + self.nics(domid) if not device.backend_domid]
        return [device for device in local if (device.kind, device.devid) not in own]

    def committed(self) -> None:
        """The nodes are written: from now on `destroy` finds the loop devices through them."""
        self._attached.clear()
        self._unlock()

    def has_more(self, device: nodes.Device) -> bool:
        """Whether `finish` has something to do for a device, which its nodes do not show yet."""
        return device.kind == "vif" or device.devid not in {disk.devid for disk in self._own_disks}

    def finish(self, domid: Domid, also: Sequence[Request] = ()) -> None:
        """Puts the vifs onto their bridges and runs the scripts of whoever wants them; back ends are in InitWait.

        `also` goes out with what is written of the vifs.
        """
        await_interfaces(self._host, domid, self._local_nics)
        requests = [request for nic in self._own_nics for request in _onto_bridge(self._host, domid, nic)]
        requests += also
        if requests:
            self._host.store.batch_checked(requests)
        for device in self._scripted(domid):
            script, gateway = dict(device.back)["script"], dict(device.back).get("gatewaydev", "")
            name = f"{device.kind} {device.devid}"
            task = scripts.HotplugDevice(name, script, device.kind, domid, device.devid, gateway)
            self._host.plumbing.scripts.attach(task, error_reader(self._host, device.backend))

    def undo(self) -> list[str]:
        """Gives back what no node in the store tells of yet; returns sentences about what would not go."""
        troubles = []
        for attachment in self._attached.values():
            try:
                attachment.undo()
            except (DeviceError, OSError) as error:
                troubles.append(str(error))
        self.committed()
        return troubles

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def back_end_ready(device: str, state: bytes | None, server: int = DOM0) -> bool:
    """Whether a back end, in the domain `server`, waits for its guest; DeviceError if it has given up."""
    if state is not None and bus.is_closing(state):
        where = f"domain {server}" if server else "this host"
        raise DeviceError(device, f"its back end in {where} refused it: see `dmesg` for what its driver says")
    return bus.is_ready(state)


def writes(wanted: Iterable[nodes.Node]) -> Iterator[Request]:
    """The requests that make nodes."""
    known: dict[str, tuple[Perm, ...]] = {}
    for node in wanted:
        yield Write(node.path, node.value)
        if (text := node.perms) is not None:
            if text not in known:
                known[text] = parse_perms(text)
            yield SetPerms(node.path, known[text])


def _mode(disk: DiskSpec) -> str:
    return "w" if disk.readwrite else "r"


def is_default(script: str | None, default: str) -> bool:
    """Whether a device has the script whose work is done in process."""
    return script is None or nodes.script_path(script) == default


def needs_script(host: Host, nic: NicSpec) -> str | None:
    """Why a vif's script must be run, None if plumbing it in process does the same."""
    if not is_default(nic.script, VIF_SCRIPT):
        return "it has a script of its own"
    if nic.vlan:
        return "its VLAN is the script's business"
    return host.plumbing.vifscript.needs_script(nic.bridge or "", nic.ip)


def await_interfaces(host: Host, domid: Domid, nics: Sequence[NicSpec]) -> None:
    """netback says InitWait a moment before it makes its interface."""
    if names := [bridge.interface_name(domid, nic.devid) for nic in nics]:
        with host.plumbing.bridge.LinkWatch() as links:
            links.wait(names, host.store.clock() + INTERFACE_SECONDS)


def hotplug_nodes(attachment: block.BlockAttachment | None) -> tuple[tuple[str, str], ...]:
    """What blkback waits for, relative to its device."""
    if attachment is None:
        return ()
    loop = (("node", attachment.node),) if attachment.node is not None else ()
    return (
        *loop,
        ("physical-device", attachment.physical_device),
        ("physical-device-path", attachment.physical_device_path),
        ("hotplug-status", "connected"),
    )


def plug_nic(host: Host, domid: Domid, nic: NicSpec) -> int:
    """Puts one vif onto its bridge; its MTU."""
    interface = bridge.interface_name(domid, nic.devid)
    bridges, device = host.plumbing.bridge, f"vif {nic.devid}"
    return bridges.add(interface, nic.bridge or "", device=device, mtu=nic.mtu, vifname=nic.vifname).mtu


def _onto_bridge(host: Host, domid: Domid, nic: NicSpec) -> list[Request]:
    """Plugs one vif; the writes that tell both ends."""
    mtu = plug_nic(host, domid, nic)
    back_end = f"/local/domain/0/backend/vif/{domid}/{nic.devid}"
    requests: list[Request] = [Write(f"{back_end}/hotplug-status", "connected")]
    if mtu != (nic.mtu or nodes.DEFAULT_MTU):
        requests.append(Write(f"/local/domain/{domid}/device/vif/{nic.devid}/mtu", str(mtu)))
    return requests


def other_disks(host: Host, back_ends: Sequence[str]) -> list[block.OtherDisk]:
    """What other guests' vbds use, from nodes that only this domain writes."""
    domids = [path.split("/")[6] for path in back_ends]
    requests = [
        Read(path)
        for back_end, domid in zip(back_ends, domids, strict=True)
        for path in (f"{back_end}/physical-device", f"{back_end}/mode", f"/local/domain/{domid}/vm")
    ]
    texts = [
        value.decode("ascii", "replace") if isinstance(value := known(reply), bytes) else ""
        for reply in host.store.batch(requests)
    ]
    rows = zip(domids, texts[0::3], texts[1::3], texts[2::3], strict=True)
    return [block.OtherDisk(device, mode, vm, int(domid)) for domid, device, mode, vm in rows if device]
