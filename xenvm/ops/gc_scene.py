"""All that tells of guests on a host, read in a few round trips: the store, Xen, loop devices, interfaces, files.

What is there is read before who lives: of a guest that is just being made, nothing can be taken for left over.
"""

from __future__ import annotations

from xenbus.parse import parse_domid
from xenbus.request import List, Read
from xenbus.value import Value
from xenvm.host.plumbing.userdata import CONFIG
from xenvm.ops.attach import ATTACHING
from xenvm.ops.create import CREATING
from xenvm.ops.destroy import ENDING
from xenvm.ops.records import known, record_of
from xenvm.types import Domid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xenvm.host.hyper import DomainInfo
    from xenvm.host.open import Host
    from xenvm.host.plumbing.leftovers import DataFile, Interface
    from xenvm.host.plumbing.loop import OwnLoop

    Place = tuple[str, Domid, int]

BACK_ENDS = "/local/domain/0/backend"
_SERVED = ("vbd", "vif")
"""Kinds of devices that driver domains serve."""
FACTS = ("state", "online", "node", "params", "script", "physical-device", "bridge", "ip", "vlan", "gatewaydev")


class BackEnd(Value):
    """A back end in domain 0, by its directory in the store."""

    kind: str
    domid: Domid
    devid: int
    facts: dict[str, str]
    """What is known of it; absent nodes are left out."""
    record: str
    """Where its guest's record says that it is; empty without a record."""
    attaching: str
    """The process that is, or was, to plug it in."""
    busy: bool
    """Whether that process is there."""

    @property
    def path(self) -> str:
        """Its directory."""
        return f"{BACK_ENDS}/{self.kind}/{self.domid}/{self.devid}"


class Served(Value):
    """A disk or vif of a guest, whose back end is not in domain 0."""

    kind: str
    domid: Domid
    devid: int
    server: Domid


class Living(Value):
    """A domain that Xen has, dead or alive; domain 0 too."""

    info: DomainInfo
    name: str | None
    vm: str
    recorded: bool
    """Whether a toolstack has a record of it."""
    creating: str
    """The process that creates it, or did when it died."""
    ending: str
    """The process that destroys it, or did when it died."""
    busy: bool
    """Whether that process is there."""
    configured: bool
    """Whether the toolstack has left its configuration, which it does at the end."""


class Scene(Value):
    """One look at a host."""

    homes: tuple[Domid, ...]
    """Domains that have /local/domain/N."""
    privates: tuple[Domid, ...]
    """Domains that have /libxl/N."""
    vms: tuple[str, ...]
    """Names below /vm."""
    empty: tuple[str, ...]
    """Directories of back ends that nothing is in."""
    back_ends: tuple[BackEnd, ...]
    served: tuple[Served, ...]
    living: dict[Domid, Living]
    loops: tuple[OwnLoop, ...]
    interfaces: tuple[Interface, ...]
    files: tuple[DataFile, ...]
    locks: tuple[str, ...]


def scene(host: Host) -> Scene:
    """Looks at everything, once."""
    store, left = host.store, host.plumbing.leftovers
    tops = ("/local/domain", "/libxl", "/vm", BACK_ENDS)
    homes, privates, vms, kinds = map(known, store.batch([List(top) for top in tops]))
    back_ends, empty = _places(host, kinds)
    served = tuple(_served(host, _domids(_words(privates))))
    loops, interfaces = tuple(left.loops()), tuple(left.interfaces())
    files, locks = tuple(left.data_files()), tuple(left.lock_files())
    living = _living(host, host.hyper.domains(), files)
    return Scene(
        homes=_domids(_words(homes)),
        privates=_domids(_words(privates)),
        vms=_words(vms),
        empty=empty,
        back_ends=tuple(_back_ends(host, back_ends)),
        served=served,
        living=living,
        loops=loops,
        interfaces=interfaces,
        files=files,
        locks=locks,
    )


def _places(host: Host, listing: object) -> tuple[list[Place], tuple[str, ...]]:
    """The back ends in domain 0, and the directories without any."""
    kinds = _words(listing)
    tops = [f"{BACK_ENDS}/{kind}" for kind in kinds]
    domids = _lists(host, tops)
    homes = [(kind, domid) for kind, some in zip(kinds, domids, strict=True) for domid in _domids(some)]
    guests = [f"{BACK_ENDS}/{kind}/{domid}" for kind, domid in homes]
    devids = _lists(host, guests)
    found = [(*home, int(name)) for home, some in zip(homes, devids, strict=True) for name in some if _is_number(name)]
    pairs = zip([*guests, *tops, BACK_ENDS], [*devids, *domids, listing], strict=True)
    return found, tuple(path for path, names in pairs if names == ())


def _lists(host: Host, paths: Sequence[str]) -> list[tuple[str, ...]]:
    return [_words(known(reply)) for reply in host.store.batch([List(path) for path in paths])]


def _back_ends(host: Host, places: Sequence[Place]) -> Iterator[BackEnd]:
    requests = []
    for kind, domid, devid in places:
        record = f"/libxl/{domid}/device/{'vbd' if kind == 'vbd3' else kind}/{devid}"
        requests += [Read(f"{BACK_ENDS}/{kind}/{domid}/{devid}/{fact}") for fact in FACTS]
        requests += [Read(f"{record}/backend"), Read(f"{record}/{ATTACHING}")]
    replies = iter([_text(reply) for reply in host.store.batch(requests)])
    for place in places:
        facts = {fact: text for fact in FACTS if (text := next(replies)) is not None}
        record, who = next(replies) or "", next(replies) or ""
        yield BackEnd(*place, facts, record, who, bool(who) and host.plumbing.processes.lives(who))


def _served(host: Host, domids: Sequence[Domid]) -> Iterator[Served]:
    """Those that the toolstack's records give to driver domains."""
    kinds = [(kind, domid) for domid in domids for kind in _SERVED]
    devids = _lists(host, [f"/libxl/{domid}/device/{kind}" for kind, domid in kinds])
    places = [(*home, int(name)) for home, some in zip(kinds, devids, strict=True) for name in some if _is_number(name)]
    paths = [f"/libxl/{domid}/device/{kind}/{devid}/backend" for kind, domid, devid in places]
    for (kind, domid, devid), reply in zip(places, host.store.batch([Read(path) for path in paths]), strict=True):
        record = record_of(domid, kind, devid, {"backend": _text(reply) or ""})
        if record is not None and record.backend_domid:
            yield Served(kind, domid, devid, record.backend_domid)


def _living(host: Host, domains: Sequence[DomainInfo], files: Sequence[DataFile]) -> dict[Domid, Living]:
    requests = []
    for info in domains:
        home, private = f"/local/domain/{info.domid}", f"/libxl/{info.domid}"
        requests += [Read(f"{home}/name"), Read(f"{home}/vm"), Read(private)]
        requests += [Read(f"{private}/{CREATING}"), Read(f"{private}/{ENDING}")]
    replies = iter([_text(reply) for reply in host.store.batch(requests)])
    configured = {(file.domid, file.uuid) for file in files if file.path.endswith(f".{CONFIG}")}
    return {
        info.domid: Living(
            info,
            name=next(replies),
            vm=next(replies) or "",
            recorded=next(replies) is not None,
            creating=(creating := next(replies) or ""),
            ending=(ending := next(replies) or ""),
            busy=any(who and host.plumbing.processes.lives(who) for who in (creating, ending)),
            configured=(info.domid, info.uuid) in configured,
        )
        for info in domains
    }


def _words(reply: object) -> tuple[str, ...]:
    return reply if isinstance(reply, tuple) else ()


def _text(reply: object) -> str | None:
    value = known(reply)
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else None


def _domids(names: Sequence[str]) -> tuple[Domid, ...]:
    """Those names that are numbers of guests, as a toolstack writes them."""
    return tuple(Domid(domid) for name in names if (domid := parse_domid(name)) and str(domid) == name)


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdecimal() and len(name) <= 10 and name == str(int(name))
