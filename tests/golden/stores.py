"""What is in xenstore for a guest, in a form that can be compared: without what differs from one guest to the next."""

from __future__ import annotations

import re
from itertools import chain

from tests.golden.configs import DISK, DISK2, HERE, UUID, Settings, text
from tests.support.faketree import View
from xenbus.perm import Perm, parse_perms
from xenvm.guest import nodes
from xenvm.guest.blueprint import settled
from xenvm.guest.load import load_text
from xenvm.lab import Lab
from xenvm.types import Domid, Port

FOLDER = HERE / "store"

Listing = dict[str, tuple[str, str]]
"""Path: value, and permissions as xenstore-ls prints them; the guest's domid is D."""

_FRONT, _BACK = "/local/domain/D/device", "/local/domain/0/backend"
_VARYING = (
    (r".*/(frontend-id|domid)", r".+", "D"),
    (r"/vm/[^/]+/start_time", r"\d+\.\d\d", "TIME"),
    (r"/local/domain/D/(console|vuart/0)/tty", r"\d+$", "N"),
    (rf"{_BACK}/vbd/D/\d+/(node|physical-device-path)", r"(?<=^/dev/loop)\d+$", "N"),
    (rf"{_BACK}/vbd/D/\d+/physical-device", r"(?<=^7:)[0-9a-f]+$", "N"),
    # A running guest's own choice.
    (rf"{_FRONT}/(vbd|vif)/\d+/((rx-|tx-)?ring-ref|event-channel(-rx|-tx)?)", r"^\d+$", "N"),
)
"""Paths, the part of their values that differs between two guests of one toolstack, and what is put in its place."""

LATER = (
    (rf"{_BACK}/(vbd|vif)/D/\d+/state", "the back end's driver, which is ready for its guest"),
    (rf"{_BACK}/(vbd|vif)/D/\d+/(feature-.+|multi-queue-.+|max-ring-.+)", "the driver, which tells its abilities"),
    (rf"{_BACK}/vbd/D/\d+/(node|physical-device|physical-device-path)", "whoever attached the disk"),
    (rf"{_BACK}/(vbd|vif)/D/\d+/hotplug-status", "whoever attached the disk or plugged the vif"),
    (r"/local/domain/D/(console|vuart/0)/tty", "xenconsoled"),
)
"""Paths that others than the toolstack's nodes fill, before the guest runs, and who does."""

DIFFERENCES: tuple[tuple[str, str], ...] = ()
"""Paths where what xenvm leaves differs from what xl leaves, and why: nothing in a guest's own nodes does.

Outside of them, the script that xl runs for a vif with a ``vifname`` takes that name for a domid and leaves a stray
``/local/domain/VIFNAME/device/vif/VIFNAME/mtu``, which nobody reads or removes. xenvm does not write it.
"""

_NODE = re.compile(r'(/[^ ]*) = "(.*)"   \((.*)\)')


def prepare(lab: Lab) -> None:
    """Makes the disks that the configurations name."""
    lab.run(["truncate", "-s", "8M", DISK, DISK2], check=True)


def look(lab: Lab, name: str) -> Listing:
    """What there is for a guest, of xl's or ours, in a lab."""
    domid = int(lab.run(["xl", "domid", name], check=True).stdout)
    script = "for top in /local/domain /vm /libxl; do xenstore-ls -fp $top || exit; done"
    return normalised(lab.run(script, check=True).stdout, domid)


def normalised(listing: str, domid: int) -> Listing:
    """What there is for one guest in the output of ``xenstore-ls -fp``."""
    listing = re.sub(rf"(/local/domain/|/libxl/|/backend/\w+/){domid}(?=[/ \"])", r"\1D", listing)
    mine = re.compile(rf"(/local/domain/D|{_BACK}/\w+/D|/libxl/D|/vm/{UUID})(/|$)")
    found = {}
    for path, value, perms in map(_parsed, listing.splitlines()):
        if mine.match(path):
            found[path] = _without_varying(path, value), re.sub(rf"\b([nrwb]){domid}\b", r"\1D", perms)
    return found


def _parsed(line: str) -> tuple[str, str, str]:
    match = _NODE.fullmatch(line)
    assert match, line
    path, value, perms = match.groups()
    return path, value, perms


def _without_varying(path: str, value: str) -> str:
    for pattern, part, instead in _VARYING:
        if re.fullmatch(pattern, path):
            value = re.sub(part, instead, value)
    return value


def without(listing: Listing, rules: tuple[tuple[str, str], ...]) -> Listing:
    """A listing without the paths that some rules are about."""
    return {path: node for path, node in listing.items() if not any(re.fullmatch(rule, path) for rule, _ in rules)}


def as_text(listing: Listing) -> str:
    """A listing, sorted, as lines like those of xenstore-ls."""
    return "".join(f'{path} = "{value}"   ({perms})\n' for path, (value, perms) in sorted(listing.items()))


def from_text(lines: str) -> Listing:
    """The listing in a golden."""
    return {path: (value, perms) for path, value, perms in map(_parsed, lines.splitlines())}


def ours(settings: Settings, release: tuple[int, int]) -> Listing:
    """The nodes that xenvm would write for a guest, before anybody else writes any."""
    spec = settled(load_text(text(settings))[0])
    domid = Domid(7)
    who = nodes.Identity(domid, spec.uuid or "", spec.name)
    devices = [nodes.console_device(domid, Port(2))]
    devices += [nodes.vuart_device(domid, Port(3))] if spec.vuart else []
    devices += [nodes.disk_device(domid, disk, release) for disk in spec.disks]
    devices += [nodes.nic_device(domid, nic, release) for nic in spec.nics]
    sizes = nodes.Sizes(spec.maxmem, spec.memory, spec.vcpus, spec.maxvcpus)
    domain = [*nodes.domain_nodes(who), *nodes.build_nodes(who, sizes, Port(1), "0.00")]
    view = View({"/": (b"", (Perm(0),))})
    for node in chain(domain, *(device.nodes() for device in devices)):
        view.write(node.path, node.value.encode())
        if node.perms is not None:
            view.set_perms(node.path, parse_perms(node.perms))
    lines = (f'{path} = "{value.decode()}"   ({_shown(perms)})' for path, (value, perms) in view.tree.items())
    return normalised("\n".join(lines), domid)


def _shown(perms: tuple[Perm, ...]) -> str:
    return ",".join(map(str, perms))
