"""What other commands have changed on a simulated host while a command that only waits let them have it."""

from __future__ import annotations

from xenbus.errors import NotFound
from xenbus.path import parent
from xenbus.tree import differences, walk
from xenbus.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from xenbus.tree import Snapshot
    from xenvm.host.open import Host


class Look(Value):
    """What watches of some places could tell of."""

    nodes: Snapshot
    domains: frozenset[tuple[int, bool]]
    """Each with whether it has shut down."""


def look(host: Host, tops: Sequence[str], depth: int | None) -> Look:
    """All that is there now, down to `depth` levels below `tops`."""
    nodes: Snapshot = {}
    for top in tops:
        if not top.startswith("@"):
            try:
                nodes.update(walk(host.store, top, perms=True, depth=depth))
            except NotFound:
                pass  # It may come.
    return Look(nodes, frozenset((info.domid, info.shutdown) for info in host.hyper.domains()))


def changed(before: Look, after: Look, tops: Sequence[str]) -> list[str]:
    """Paths that a server would have told of, had all happened at once: of what is removed as a whole, the top."""
    changes = differences(before.nodes, after.nodes)
    gone = {change.path for change in changes if change.after is None}
    paths = [change.path for change in changes if change.path not in gone or parent(change.path) not in gone]
    domids = [{domid for domid, _down in each.domains} for each in (before, after)]
    if domids[1] - domids[0]:
        paths.append("@introduceDomain")
    if before.domains - after.domains:
        paths.append("@releaseDomain")
    return [path for path in paths if not path.startswith("@") or path in tops]
