"""xenvm's own record of a guest, which lies with its userdata: what it was created from, and who is to watch it.

A guest without it was created by xl or somebody else, and is theirs to watch. With it a guest can be made again by
whoever sees it die.
"""

from __future__ import annotations

from xenbus.parse import parse_decimal
from xenbus.request import List, Read
from xenbus.value import Value
from xenvm.errors import DomainError
from xenvm.guest import jsontext
from xenvm.guest.spec import GuestSpec
from xenvm.ops.records import known
from xenvm.types import KiB

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from xenvm.guest.jsontext import Json
    from xenvm.host.hyper import DomainInfo
    from xenvm.host.open import Host
    from xenvm.types import Domid

USERID = "xenvm"
"""The userid of the file, beside libxl's ``libxl-json``."""
WATCHERS = ("background", "foreground", "nobody")
"""Who may act when the guest goes down: any monitor or supervisor; only the process that created it; nobody."""
_VERSION = 1


class Memo(Value):
    """What a guest was created from."""

    spec: GuestSpec
    """Settled: with its uuid and MACs."""
    watch: str = "background"
    hotplug_scripts: bool = False
    updated: bool = False
    """Whether `spec` is for the next start, and not what the guest is now."""


def to_text(memo: Memo) -> str:
    """The memo as JSON."""
    from xenvm.guest.frozen import freeze

    kept: dict[str, Json] = {"version": _VERSION, "watch": memo.watch, "hotplug_scripts": memo.hotplug_scripts}
    kept.update({"updated": True} if memo.updated else {})
    return jsontext.text({**kept, "spec": freeze(memo.spec.replace(places=None))})


def from_text(text: str) -> Memo:
    """What `to_text` was given; ValueError."""
    return from_json(jsontext.parse(text))


def from_json(found: Any) -> Memo:
    """The same of a parsed object."""
    from xenvm.guest.frozen import thaw

    if not isinstance(found, dict) or found.get("version") != _VERSION or found.get("watch") not in WATCHERS:
        raise ValueError("no record of this version of xenvm")
    spec = thaw(found.get("spec"))
    if not isinstance(spec, GuestSpec):
        raise ValueError("no specification of a guest")
    return Memo(spec, found["watch"], found.get("hotplug_scripts") is True, found.get("updated") is True)


def write(host: Host, domid: Domid, uuid: str, memo: Memo) -> None:
    """Keeps it with the domain's userdata, with which it goes."""
    data = to_text(memo).encode("utf-8", "surrogateescape")
    host.plumbing.userdata.UserData(domid, uuid).write(USERID, data)


def read(host: Host, domid: Domid, uuid: str) -> Memo | None:
    """A guest's memo; None if xenvm did not create it. DomainError if it makes no sense."""
    data = host.plumbing.userdata.UserData(domid, uuid).read(USERID)
    if data is None:
        return None
    try:
        return from_text(data.decode("utf-8", "surrogateescape"))
    except ValueError as error:
        raise DomainError(f"domain {domid}: xenvm's record of it is of no use: {error}") from error


def current(host: Host, info: DomainInfo, memo: Memo) -> GuestSpec:
    """The guest as it is now: its name, devices, memory and vCPUs have changed, as with libxl's record. Or as it is to
    be from its next start on, if that was replaced."""
    spec = memo.spec.replace(uuid=info.uuid)
    if memo.updated:
        return spec.replace(name=_name(host, info.domid) or spec.name)
    record = host.plumbing.userdata.UserData(info.domid, info.uuid).read_config()
    if record is not None:
        from xenvm.guest.libxl_change import with_devices

        try:
            spec = _present(host, info.domid, with_devices(spec, record))
        except ValueError as error:
            raise DomainError(f"domain {info.domid}: libxl's record of it is of no use: {error}") from error
    return _resized(host, info.domid, spec)


def _present(host: Host, domid: Domid, spec: GuestSpec) -> GuestSpec:
    """Without devices that only the record has: an attachment that was cut short leaves them."""
    replies = host.store.batch([List(f"/libxl/{domid}/device/{kind}") for kind in ("vbd", "vif")])
    disks, nics = (found if isinstance(found := known(reply), tuple) else () for reply in replies)
    return spec.replace(
        disks=tuple(disk for disk in spec.disks if str(disk.devid) in disks),
        nics=tuple(nic for nic in spec.nics if str(nic.devid) in nics),
    )


def _resized(host: Host, domid: Domid, spec: GuestSpec) -> GuestSpec:
    """With the name, memory and vCPUs of the store, where only the toolstack writes them."""
    home = f"/local/domain/{domid}"
    paths = [f"{home}/{key}" for key in ("memory/static-max", "memory/target")]
    paths += [f"{home}/cpu/{number}/availability" for number in range(spec.maxvcpus)]
    most, target, *cpus = map(known, host.store.batch(list(map(Read, paths))))
    maxmem = KiB(_number(most) or spec.maxmem)
    return spec.replace(
        name=_name(host, domid) or spec.name,
        maxmem=maxmem,
        memory=KiB(min(_number(target) or spec.memory, maxmem)),
        vcpus=cpus.count(b"online") or spec.vcpus,
    )


def _name(host: Host, domid: Domid) -> str:
    reply = known(host.store.batch([Read(f"/local/domain/{domid}/name")])[0])
    return reply.decode("utf-8", "surrogateescape") if isinstance(reply, bytes) else ""


def _number(value: object) -> int | None:
    return parse_decimal(value) if isinstance(value, bytes) else None
