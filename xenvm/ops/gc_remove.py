"""How each kind of finding is removed: by what the toolstack does anyway, `destroy` and `detach`, where that fits."""

from __future__ import annotations

from xenbus.path import parent
from xenbus.request import Discard, Read
from xenvm.errors import DomainError
from xenvm.ops import detach
from xenvm.ops.close import await_closed, discard_empty, farewells, state_path
from xenvm.ops.destroy import destroy
from xenvm.ops.gc_rules import findings
from xenvm.ops.gc_scene import BACK_ENDS, FACTS, scene
from xenvm.ops.records import CONSOLES, Record, known
from xenvm.ops.unplumb import unplumb
from xenvm.types import DOM0, Domid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenbus.request import Request
    from xenbus.transaction import Transaction
    from xenvm.host.hyper import DomainInfo
    from xenvm.host.open import Host
    from xenvm.ops.gc_rules import Finding

CLOSE_SECONDS = 5.0
"""How long the back end of a guest that is gone may take to close: there is nobody that it would have to wait for."""


def remove_one(host: Host, finding: Finding) -> list[str]:
    """Removes what was found; sentences about what would not go. It has been looked at a moment ago."""
    return _REMOVERS[finding.kind](host, finding) or []


def _domain(host: Host, finding: Finding) -> list[str]:
    info = host.hyper.domain(Domid(int(finding.name)))
    return [] if info is None else destroy(host, info.domid, info.uuid)


def _device(host: Host, finding: Finding) -> list[str]:
    domid, kind, devid = finding.name.split("/")
    info = host.hyper.domain(Domid(int(domid)))
    return [] if info is None else detach.remove(host, info, kind, int(devid))


def _back_end(host: Host, finding: Finding) -> list[str]:
    """Has it close, takes it apart, and removes its nodes and the directories that are empty without it."""
    kind, domid, devid = finding.name.split("/")
    _must_be_gone(host, Domid(int(domid)))
    path = f"{BACK_ENDS}/{finding.name}"
    texts = [_text(reply) for reply in host.store.batch([Read(f"{path}/{fact}") for fact in FACTS])]
    facts = {fact: text for fact, text in zip(FACTS, texts, strict=True) if text}
    front = "vbd" if kind == "vbd3" else kind
    state, node = facts.get("state", ""), facts.get("node", "")
    device = Record(Domid(int(domid)), front, int(devid), path, DOM0, kind, facts, state, node)
    if state and kind not in CONSOLES:
        _close(host, device)
    unplumb(host, device)
    host.store.batch_checked([Discard(path)])
    _tidy(host, parent(path))
    return []


def _close(host: Host, device: Record) -> None:
    """Lets a driver that is still there end in order; one that is not, or hangs, only loses its nodes."""
    host.store.transact(list(farewells([device])), checked=False)
    with host.store.follow([state_path(device)]) as follower:
        await_closed(host, follower, device, host.store.clock() + CLOSE_SECONDS)


def _nodes(host: Host, finding: Finding) -> list[str]:
    path = finding.name
    if finding.evidence:
        _must_be_gone(host, Domid(int(path.rpartition("/")[2])))
    if path.startswith(BACK_ENDS):
        _tidy(host, path)
    else:
        host.store.batch_checked([Discard(path)])
    return []


def _tidy(host: Host, path: str) -> None:
    """Removes a directory of back ends, and those above it, as far as they are empty."""
    paths = [path]
    while paths[-1] != BACK_ENDS:
        paths.append(parent(paths[-1]))
    host.store.transact(lambda tx: _empty(tx, paths))


def _empty(tx: Transaction, paths: list[str]) -> list[Request]:
    return discard_empty(tx, paths)


def _must_be_gone(host: Host, domid: Domid) -> DomainInfo | None:
    info = host.hyper.domain(domid)
    if info is not None:
        raise DomainError(f"there is a domain {domid} now")
    return info


def _loop(host: Host, finding: Finding) -> list[str]:
    """Under the lock of the block scripts: who attaches a disk holds it until the disk's nodes are written."""
    with host.plumbing.block.lock():
        if finding.id in (other.id for other in findings(scene(host))):
            host.plumbing.leftovers.free_loop(finding.name, str(finding.evidence[0]))
    return []


def _interface(host: Host, finding: Finding) -> list[str]:
    host.plumbing.leftovers.take_off(finding.name)
    return []


def _file(host: Host, finding: Finding) -> list[str]:
    host.plumbing.leftovers.remove(finding.name)
    return []


def _lock(host: Host, finding: Finding) -> list[str]:
    host.plumbing.leftovers.remove_lock(finding.name)
    return []


def _text(reply: object) -> str:
    value = known(reply)
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else ""


_REMOVERS: dict[str, Callable[[Host, Finding], list[str]]] = {
    "zombie": _domain,
    "domain": _domain,
    "device": _device,
    "backend": _back_end,
    "nodes": _nodes,
    "loop": _loop,
    "vif": _interface,
    "userdata": _file,
    "lock": _lock,
}
