"""The toolstack's own records of devices, /libxl/<domid>/device: what is listed and removed goes by them alone.

What the guest can write, its front ends, is never followed: a guest that rewrites its ``backend`` node would
otherwise make the toolstack remove another guest's devices (XSA-41, XSA-175, XSA-178).
"""

from __future__ import annotations

from xenbus.errors import NotFound, StoreError
from xenbus.path import is_path
from xenbus.request import List, Read
from xenbus.value import Value
from xenvm.types import Domid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from xenvm.host.open import Host

CONSOLES = ("console", "vuart")
"""Kinds that xenconsoled serves: they have no handshake, their records are just deleted."""

_COPIED = ("script", "params", "mode", "mac", "vifname", "ip", "gatewaydev", "bridge", "vlan", "dev")
_COPIED_OF = {
    "console": ("name", "connection", "path"),
    "vuart": (),
    "9pfs": ("path", "security_model"),
    "vkbd": ("unique-id",),
    "vdispl": (),
    "vsnd": (),
    "pvcalls": (),
}
"""What is read of a record, where that is not _COPIED."""


class Record(Value):
    """One device as the toolstack recorded it, and the state of its back end."""

    domid: Domid
    kind: str
    devid: int
    backend: str
    """Path of the back end, checked to be this device's."""
    backend_domid: Domid
    back_kind: str
    facts: dict[str, str]
    """What the toolstack wrote of it: script, params, mode and so on."""
    state: str
    """The back end's state as text, empty when it is gone."""
    node: str
    """The loop device that a file was plumbed to, or empty."""

    @property
    def frontend(self) -> str:
        """Path of the front end, made from our own numbers."""
        if self.kind == "console" and self.devid == 0:
            return f"/local/domain/{self.domid}/console"
        if self.kind == "vuart":
            return f"/local/domain/{self.domid}/vuart/{self.devid}"
        return f"/local/domain/{self.domid}/device/{self.kind}/{self.devid}"

    @property
    def path(self) -> str:
        """Path of the record."""
        return f"/libxl/{self.domid}/device/{self.kind}/{self.devid}"

    @property
    def name(self) -> str:
        """For messages: ``vbd 51712 of domain 3``."""
        return f"{self.kind} {self.devid} of domain {self.domid}"


def known(reply: object) -> object:
    """The value of a reply, None where there is no such node; raises any other refusal."""
    if isinstance(reply, StoreError):
        if not isinstance(reply, NotFound):
            raise reply
        return None
    return reply


class Belongings(Value):
    """What the store has of a domain."""

    devices: tuple[Record, ...]
    """In the order of their creation."""
    vm: str
    """The path of its directory that survives reboots, empty if it has none."""


def belongings(host: Host, domid: Domid) -> Belongings:
    """What the store has of a domain, in four round trips whatever the number of devices."""
    store, top = host.store, f"/libxl/{domid}/device"
    listing, vm = map(known, store.batch([List(top), Read(f"/local/domain/{domid}/vm")]))
    kinds = listing if isinstance(listing, tuple) else ()
    listings = store.batch([List(f"{top}/{kind}") for kind in kinds])
    places = [
        (kind, devid)
        for kind, listing in zip(kinds, listings, strict=True)
        if isinstance(names := known(listing), tuple)
        for devid in names
        if devid.isascii() and devid.isdecimal()
    ]
    paths = [f"{top}/{kind}/{devid}/{key}" for kind, devid in places for key in _keys(kind)]
    replies = iter(store.batch(list(map(Read, paths))))
    found = []
    for kind, devid in places:
        facts = {key: text for key in _keys(kind) if (text := _text(next(replies)))}
        record = record_of(domid, kind, int(devid), facts)
        if record is not None:
            found.append(record)
    return Belongings(tuple(_with_back_ends(host, found)), _text(vm))


def _keys(kind: str) -> tuple[str, ...]:
    return "backend", *_COPIED_OF.get(kind, _COPIED)


def _text(reply: object) -> str:
    value = known(reply)
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else ""


def record_of(domid: Domid, kind: str, devid: int, facts: dict[str, str]) -> Record | None:
    """The record, or None where its back end's path is not of the form that belongs to this device."""
    path = facts.get("backend", "")
    parts = path.split("/")
    if not is_path(path) or len(parts) != 8 or parts[:3] != ["", "local", "domain"] or parts[4] != "backend":
        return None
    if not parts[3].isdecimal() or parts[3] != str(int(parts[3])) or parts[6:] != [str(domid), str(devid)]:
        return None
    return Record(domid, kind, devid, path, Domid(int(parts[3])), parts[5], facts, "", "")


def _with_back_ends(host: Host, found: list[Record]) -> Iterator[Record]:
    replies = host.store.batch([Read(f"{record.backend}/{key}") for record in found for key in ("state", "node")])
    for record, state, node in zip(found, replies[0::2], replies[1::2], strict=True):
        yield record.replace(state=_text(state), node=_text(node))
