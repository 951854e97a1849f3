"""The operations on nodes: reading, writing, permissions (docs/misc/xenstore.txt), each with all of its checks.

Every check comes before the first change: a request that is refused has changed nothing.
"""

from __future__ import annotations

from xenbus import wire
from xenbus.server import quota
from xenbus.server.arguments import Refused, only_string, plain_number, strings
from xenbus.server.perms import OWNER, READ, WRITE, parse_perms
from xenbus.server.tree import INTRODUCE_DOMAIN, RELEASE_DOMAIN, ROOT, Node, parent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenbus.server.connection import Connection
    from xenbus.server.engine import Engine
    from xenbus.server.perms import Perms
    from xenbus.server.view import View


def read(engine: Engine, client: Connection, view: View, payload: bytes) -> bytes:
    """READ: the value."""
    return _readable(client, view, client.resolve(only_string(payload))).value


def directory(engine: Engine, client: Connection, view: View, payload: bytes) -> bytes:
    """DIRECTORY: the names of the children; the client asks for parts if they are too many."""
    path = client.resolve(only_string(payload))
    _readable(client, view, path)
    return view.listing(path)[1]


def directory_part(engine: Engine, client: Connection, view: View, payload: bytes) -> bytes:
    """DIRECTORY_PART: generation, whole names from an offset on, and an empty name behind the last one."""
    words = strings(payload)
    if len(words) != 2:
        raise Refused("EINVAL")
    path = client.resolve(words[0])
    _readable(client, view, path)
    generation, names = view.listing(path)
    head = b"%d\0" % generation
    rest = names[plain_number(words[1]) % (1 << 32) :]
    room = wire.PAYLOAD_MAX - len(head) - 1
    return head + (rest + b"\0" if len(rest) <= room else rest[: rest.rfind(b"\0", 0, room) + 1])


def get_perms(engine: Engine, client: Connection, view: View, payload: bytes) -> bytes:
    """GET_PERMS: all entries, void ones too."""
    return _readable(client, view, _with_special(client, only_string(payload))).perms.wire


def write(engine: Engine, client: Connection, view: View, payload: bytes) -> bytes:
    """WRITE: sets the value; makes the node and those above it if they are missing."""
    raw, nul, value = payload.partition(b"\0")
    if not nul:
        raise Refused("EINVAL")
    path = client.resolve(raw)
    node = view.look(path) if client.privileged else _find(client, view, path, WRITE)
    if node is None:
        _create(engine, client, view, path, value)
    else:
        if not client.privileged:
            _check_size(client, view, node.size(view.names_size(path)) + len(value) - len(node.value))
            _check_memory(engine, view, node.perms, len(value) - len(node.value))
        view.put(path, value, node.perms)
    view.tell(path)
    return wire.OK


def mkdir(engine: Engine, client: Connection, view: View, payload: bytes) -> bytes:
    """MKDIR: makes the node, and those above it, unless it exists."""
    path = client.resolve(only_string(payload))
    if _find(client, view, path, WRITE) is None:
        _create(engine, client, view, path, b"")
        view.tell(path)
    return wire.OK


def remove(engine: Engine, client: Connection, view: View, payload: bytes) -> bytes:
    """RM: the node with all below; a missing one is well, if its parent is there."""
    path = client.resolve(only_string(payload))
    if _find(client, view, path, WRITE) is None:
        if view.glance(parent(path)) is None:
            raise Refused("ENOENT")
    elif path == ROOT:
        raise Refused("EINVAL")
    else:
        view.remove(path)
    return wire.OK


def set_perms(engine: Engine, client: Connection, view: View, payload: bytes) -> bytes:
    """SET_PERMS: replaces all entries; only domain 0 may change the owner (XSA-352)."""
    raw, *texts = strings(payload) or [b""]
    if not texts:
        raise Refused("EINVAL")
    if not client.privileged and len(texts) > client.domain.quotas.limit(quota.NODE_PERMISSIONS):
        raise Refused("ENOSPC")
    perms = parse_perms(texts, lambda domid: engine.domains.may_be_named(domid, client.domain.features))
    path = _with_special(client, raw)
    node = _find(client, view, path, WRITE | OWNER)
    if node is None:
        raise Refused("ENOENT")
    if not client.privileged:
        if perms.owner != node.perms.owner:
            raise Refused("EPERM")
        growth = Node(b"", perms).size(0) - Node(b"", node.perms).size(0)
        _check_size(client, view, node.size(view.names_size(path)) + growth)
        _check_memory(engine, view, perms, growth)
    view.put(path, node.value, perms)
    view.tell(path, node.perms)
    return wire.OK


def _find(client: Connection, view: View, path: bytes, need: int) -> Node | None:
    """The node, or None if it is missing and the client may know that; EACCES without the rights that are needed."""
    node = view.look(path)
    if client.privileged:
        return node
    if node is not None:
        if client.rights(node.perms) & need != need:
            raise Refused("EACCES")
        return node
    above = path
    while node is None:
        above = parent(above)
        node = view.glance(above)
    if not client.rights(node.perms) & need:
        raise Refused("EACCES")
    return None


def _with_special(client: Connection, raw: bytes) -> bytes:
    """The absolute form of a path, which may be one of the special nodes."""
    path = client.resolve(raw, special=True)
    if path[:1] == b"@" and path not in (INTRODUCE_DOMAIN, RELEASE_DOMAIN):
        raise Refused("EINVAL")
    return path


def _readable(client: Connection, view: View, path: bytes) -> Node:
    node = _find(client, view, path, READ)
    if node is None:
        raise Refused("ENOENT")
    return node


def _create(engine: Engine, client: Connection, view: View, path: bytes, value: bytes) -> None:
    """Makes a node and those missing above it; who may write does so in the name of the nearest that is there."""
    above = parent(path)
    node = view.glance(above)
    if node is not None and client.privileged:
        view.put(path, value, node.perms)  # nearly always, and nothing to check
        return
    missing = [path]
    while (node := view.glance(above)) is None:
        missing.append(above)
        above = parent(above)
    perms = node.perms
    if not client.privileged:
        perms = perms.inherited(client.domid)
        name = missing[-1].rpartition(b"/")[2]
        _check_creation(client, view, node.size(view.names_size(above)) + len(name) + 1, missing, perms, len(value))
    while missing:
        at = missing.pop()
        view.put(at, b"" if missing else value, perms)


def _check_creation(
    client: Connection, view: View, parent_size: int, missing: list[bytes], perms: Perms, length: int
) -> None:
    """Whether a guest may have these nodes more."""
    domain = client.domain
    if domain.usage.nodes + len(missing) > domain.quotas.limit(quota.NODES):
        raise Refused("ENOSPC")
    bare = Node(b"", perms).size(0)
    inner = max([len(path.rpartition(b"/")[2]) + 1 for path in missing[:-1]], default=0)
    _check_size(client, view, max(parent_size, bare + length, bare + inner))
    if not domain.has_room(sum(bare + 2 * len(path) for path in missing) + length):
        view.spoil()
        raise Refused("ENOMEM")


def _check_size(client: Connection, view: View, size: int) -> None:
    if size >= client.domain.quotas.limit(quota.NODE_SIZE):
        view.spoil()
        raise Refused("ENOSPC")


def _check_memory(engine: Engine, view: View, perms: Perms, growth: int) -> None:
    """Whether the owner of a node may have so many bytes more."""
    owner = engine.domains.get(perms.owner) if perms.owner else None
    if owner and not owner.has_room(growth):
        view.spoil()
        raise Refused("ENOMEM")
