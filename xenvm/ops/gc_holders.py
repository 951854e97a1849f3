"""Who holds what is left over: domains by their back ends, this host's kernel, and processes."""

from __future__ import annotations

from xenbus.request import List
from xenvm.ops.names import names
from xenvm.ops.records import known
from xenvm.types import Domid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xenvm.host.open import Host
    from xenvm.ops.gc_rules import Finding


def with_holders(host: Host, found: Sequence[Finding]) -> list[Finding]:
    """The same findings, each with who holds it."""
    files = [finding.name for finding in found if finding.kind == "loop"]
    users = host.plumbing.processes.using(files)
    return [finding.replace(holders=tuple(_holders(host, finding, users))) for finding in found]


def _holders(host: Host, finding: Finding, users: dict[str, list[str]]) -> Iterator[str]:
    if finding.kind == "loop":
        yield from users[finding.name]
    elif finding.kind in ("zombie", "domain"):
        domid = Domid(int(finding.name))
        yield from _back_ends(host, domid)
        if finding.kind == "zombie":
            # What a process maps of which guest, the kernel does not tell.
            yield from (f"{process} maps pages of guests" for process in host.plumbing.processes.mapping_guests())
    elif finding.kind == "vif":
        yield f"the kernel's network back end, with {finding.name}"


def _back_ends(host: Host, domid: Domid) -> Iterator[str]:
    """Domains with back ends for this one in the store, and the kernel's own that are left without."""
    store, domids = host.store, [info.domid for info in host.hyper.domains() if info.domid != domid]
    called = names(host, domids)
    tops = [f"/local/domain/{other}/backend" for other in domids]
    for other, top, kinds in zip(domids, tops, store.batch(list(map(List, tops))), strict=True):
        paths = [f"{top}/{kind}/{domid}" for kind in _words(kinds)]
        for path, devids in zip(paths, store.batch(list(map(List, paths))), strict=True):
            for devid in _words(devids):
                kind = path.split("/")[5]
                yield f"domain {other} ({called[other]}) by its back end {kind}/{domid}/{devid}"
    for device in host.plumbing.processes.kernel_devices(domid):
        yield f"the kernel of domain 0 by its device {device}"


def _words(reply: object) -> tuple[str, ...]:
    children = known(reply)
    return children if isinstance(children, tuple) else ()
