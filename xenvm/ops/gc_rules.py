"""What is left over in a scene, by rules: pure, so that each can be read and tested by itself.

A domain that has run, and whose destruction nobody has begun, is alive, whatever the store lacks of it: Xen itself
starts guests that no toolstack has heard of (dom0less).
"""

from __future__ import annotations

from xenbus import bus
from xenbus.value import Value
from xenvm.host.hyper import DomainInfo
from xenvm.ops.records import CONSOLES
from xenvm.types import Domid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from xenvm.ops.gc_scene import BackEnd, Living, Scene, Served

_AGAIN = "xenvm gc --remove"
_DISKS = ("vbd", "vbd3")
_DETACH = {"vbd": "block-detach", "vif": "network-detach"}


class Finding(Value):
    """Something that is left over."""

    kind: str
    name: str
    """Which one: a domid, a path, a device."""
    sentence: str
    """What it is and how that is known."""
    remedy: str
    """The command that removes it."""
    sure: bool = True
    """Whether nobody can be at work on it; what is not is only removed by its own id."""
    evidence: tuple[object, ...] = ()
    """What it was found by: as long as that is the same, so is the finding."""
    holders: tuple[str, ...] = ()
    """Who holds it."""

    @property
    def id(self) -> str:
        """How it is chosen."""
        return f"{self.kind}:{self.name}"


def findings(seen: Scene) -> list[Finding]:
    """Everything that is left over."""
    rules = (_domains, _devices, _orphans, _nodes, _loops, _interfaces, _files)
    return [finding for rule in rules for finding in rule(seen)]


def _finding(kind: str, name: object, sentence: str, *evidence: object, sure: bool = True, remedy: str = "") -> Finding:
    return Finding(kind, str(name), sentence, remedy or f"{_AGAIN} {kind}:{name}", sure, evidence)


# Domains.


def _domains(seen: Scene) -> Iterator[Finding]:
    for domid, domain in seen.living.items():
        info = domain.info
        if info.dying:
            sentence = f"domain {domid} is dead, and {info.tot_pages} of its pages are still held"
            yield _finding("zombie", domid, sentence, info)
        elif domain.busy or not domid:
            continue
        elif reason := _doomed(domain):
            yield _finding("domain", domid, f"domain {domid} {reason}", info.uuid, remedy=f"xenvm destroy {domid}")
        elif reason := _half_built(domain):
            yield _finding("domain", domid, f"domain {domid} {reason}", info, remedy=f"xenvm destroy {domid}")
        elif domain.name is None and domain.recorded and not _never_ran(info):
            sentence = f"domain {domid} runs, and has no name in the store"
            yield _finding("domain", domid, sentence, info.uuid, sure=False, remedy=f"xenvm destroy {domid}")
        elif reason := _of_others(domain):
            sentence = f"domain {domid}, {domain.name}, has never run, and {reason}"
            yield _finding("domain", domid, sentence, info, sure=False, remedy=f"xenvm destroy {domid}")


def _doomed(domain: Living) -> str:
    """Why a domain is to go, as somebody has begun to destroy it; empty if nobody has."""
    if domain.ending:
        return "was to be destroyed, and whoever did that did not end it"
    # Whoever destroys a domain pauses it first: one that runs has lost its name in another way.
    if domain.name is None and domain.recorded and (domain.info.paused or domain.info.shutdown):
        return "has lost its name in the store: whoever destroyed it did not end it"
    return ""


def _half_built(domain: Living) -> str:
    """Why a domain can never run; empty if it can."""
    if not _never_ran(domain.info):
        return ""
    if domain.name is None:
        return "has never run and has no name in the store: whoever created it did not end it"
    if domain.creating:
        return f"({domain.name}) has never run: whoever created it did not end it"
    return ""


def _of_others(domain: Living) -> str:
    """What is missing of a domain that another toolstack, which takes no lock, may still be making."""
    if not _never_ran(domain.info):
        return ""
    if not domain.recorded:
        return "no toolstack has a record of it"
    if not domain.info.nr_online_vcpus:
        return "has no vCPU that could"
    return "" if domain.configured else "its toolstack has not recorded its configuration"


def _never_ran(info: DomainInfo) -> bool:
    return info.paused and not info.shutdown and not info.cpu_time


# Devices of guests that live.


def _devices(seen: Scene) -> Iterator[Finding]:
    whole = {
        domid
        for domid, domain in seen.living.items()
        if domid and not (domain.busy or domain.info.dying or _doomed(domain) or _half_built(domain))
    }
    for back in seen.back_ends:
        if back.domid in whole and not back.busy and back.kind not in CONSOLES and back.record == back.path:
            yield from _halfway(back)
    for device in seen.served:
        if device.domid in whole and device.server not in seen.living:
            yield _unserved(device)


def _unserved(device: Served) -> Finding:
    """Not sure: a guest that is restarted is to have it again."""
    name = f"{device.kind} {device.devid} of domain {device.domid}"
    sentence = f"{name} was served by domain {device.server}, which does not exist"
    remedy = f"xenvm {_DETACH[device.kind]} {device.domid} {device.devid}"
    place = f"{device.domid}/{device.kind}/{device.devid}"
    return _finding("device", place, sentence, device, sure=False, remedy=remedy)


def _halfway(back: BackEnd) -> Iterator[Finding]:
    kind = "vbd" if back.kind in _DISKS else back.kind
    name, state = f"{kind} {back.devid} of domain {back.domid}", back.facts.get("state", "")
    place, evidence = f"{back.domid}/{kind}/{back.devid}", (back.attaching, state, back.facts.get("online"))
    command = _DETACH.get(kind, "")
    remedy = f"xenvm {command} {back.domid} {back.devid}" if command else ""
    if back.attaching:
        pid = back.attaching.partition(" ")[0]
        sentence = f"{name} was never plugged in: process {pid}, which was to do it, has died"
        yield _finding("device", place, sentence, *evidence, remedy=f"{remedy} --force")
    elif back.facts.get("online") == "0" and state in ("", "6"):
        sentence = f"{name} was detached, and both ends are closed, but it was not cleared away"
        yield _finding("device", place, sentence, *evidence, remedy=remedy)
    elif back.facts.get("online") == "0":
        shown = bus.state_name(bus.parse_state(state.encode("utf-8", "surrogateescape")))
        sentence = f"{name} was told to close, and its back end is still {shown}"
        yield _finding("device", place, sentence, *evidence, sure=False, remedy=f"{remedy} --force")


# What belongs to domains that are no more.


def _orphans(seen: Scene) -> Iterator[Finding]:
    for back in seen.back_ends:
        if back.domid and back.domid not in seen.living:
            name = f"{back.kind}/{back.domid}/{back.devid}"
            sentence = f"{back.path} is the back end of a domain that does not exist"
            yield _finding("backend", name, sentence)


def _nodes(seen: Scene) -> Iterator[Finding]:
    paths = [(f"/local/domain/{domid}", domid) for domid in seen.homes]
    paths += [(f"/libxl/{domid}", domid) for domid in seen.privates]
    for path, domid in paths:
        if domid not in seen.living:
            yield _finding("nodes", path, f"{path} is of domain {domid}, which does not exist", domid)
    used = {domain.info.uuid for domain in seen.living.values()}
    used |= {domain.vm.removeprefix("/vm/") for domain in seen.living.values()}
    for uuid in seen.vms:
        if _is_uuid(uuid) and uuid.lower() not in used and uuid not in used:
            yield _finding("nodes", f"/vm/{uuid}", f"/vm/{uuid} is of a domain that does not exist")
    for path in seen.empty:
        last = path.rpartition("/")[2]
        of = [Domid(int(last))] if last.isdecimal() else []
        if not any(domid in seen.living for domid in of):
            yield _finding("nodes", path, f"{path} is an empty directory", *of)


def _is_uuid(text: str) -> bool:
    groups = text.split("-")
    sizes = tuple(map(len, groups))
    return sizes == (8, 4, 4, 4, 12) and all(c in "0123456789abcdefABCDEF" for group in groups for c in group)


# This host's kernel and files.


def _loops(seen: Scene) -> Iterator[Finding]:
    used = {back.facts.get("node") for back in seen.back_ends}
    numbers = {back.facts.get("physical-device") for back in seen.back_ends}
    for loop in seen.loops:
        if loop.path not in used and _number(loop.rdev) not in numbers:
            file = f"{loop.file}, which is deleted" if loop.deleted else loop.file
            yield _finding("loop", loop.path, f"{loop.path} has {file}, and no back end uses it", loop.file)


def _number(rdev: int) -> str:
    import os

    return f"{os.major(rdev):x}:{os.minor(rdev):x}"


def _interfaces(seen: Scene) -> Iterator[Finding]:
    there = {(back.domid, back.devid) for back in seen.back_ends if back.kind == "vif"}
    for interface in seen.interfaces:
        if (interface.domid, interface.devid) not in there:
            where = f" on {interface.bridge}" if interface.bridge else ""
            sentence = (
                f"{interface.name}{where} is of vif {interface.devid} of domain {interface.domid}, whose back end"
            )
            yield _finding("vif", interface.name, f"{sentence} is gone", interface)


def _files(seen: Scene) -> Iterator[Finding]:
    alive = {(domid, domain.info.uuid) for domid, domain in seen.living.items()}
    for file in seen.files:
        if file.domid and (file.domid, file.uuid) not in alive:
            yield _finding("userdata", file.path, f"{file.path} is of domain {file.domid}, which does not exist")
    for path in seen.locks:
        yield _finding("lock", path, f"{path} is a lock that nobody holds")
