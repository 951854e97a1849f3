"""The operations on a client's own watches and transactions (docs/misc/xenstore.txt)."""

from __future__ import annotations

from xenbus import wire
from xenbus.server import quota
from xenbus.server.arguments import Refused, only_string, plain_number, strings
from xenbus.server.domains import FEATURE_WATCH_DEPTH
from xenbus.server.transaction import Transaction
from xenbus.server.watches import UNLIMITED, Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenbus.server.connection import Connection
    from xenbus.server.engine import Engine
    from xenbus.server.view import View


def watch(engine: Engine, client: Connection, view: View, payload: bytes) -> bytes:
    """WATCH: path, token and perhaps a depth; the first event follows the reply at once."""
    words = strings(payload)
    depth = UNLIMITED
    if len(words) == 3 and client.domain.features & FEATURE_WATCH_DEPTH:
        depth = plain_number(words[2])
        if depth < 0:
            raise Refused("EINVAL")
    elif len(words) != 2:
        raise Refused("EINVAL")
    path, token = client.resolve(words[0], special=True), words[1]
    if (path, token) in client.watches:
        raise Refused("EEXIST")
    cut = 0 if words[0][:1] in (b"/", b"@") else len(client.home)
    new = Watch(client, path, token, depth, cut)
    if not client.privileged:
        if client.domain.watches > client.domain.quotas.limit(quota.WATCHES):
            raise Refused("E2BIG")
        if not client.domain.has_room(new.memory()):
            raise Refused("ENOMEM")
    engine.add_watch(new)
    client.greeting = new.event(path)
    return wire.OK


def unwatch(engine: Engine, client: Connection, view: View, payload: bytes) -> bytes:
    """UNWATCH: path and token of a watch."""
    words = strings(payload)
    if len(words) != 2:
        raise Refused("EINVAL")
    known = client.watches.get((client.resolve(words[0], special=True), words[1]))
    if known is None:
        raise Refused("ENOENT")
    engine.drop_watch(known)
    return wire.OK


def reset_watches(engine: Engine, client: Connection, view: View, payload: bytes) -> bytes:
    """RESET_WATCHES: drops all watches of the client, and its transactions."""
    engine.drop_watches(client)
    engine.drop_transactions(client)
    return wire.OK


def begin(engine: Engine, client: Connection, view: View, payload: bytes) -> bytes:
    """TRANSACTION_START: an id, unique on this connection."""
    if view is not engine.direct:
        raise Refused("EBUSY")
    domain = None if client.privileged else client.domain
    if domain:
        if domain.transactions > domain.quotas.limit(quota.TRANSACTIONS):
            raise Refused("ENOSPC")
        domain.transactions += 1
    number = client.last_transaction % 0xFFFFFFFF + 1
    while number in client.transactions:
        number = number % 0xFFFFFFFF + 1
    client.last_transaction = number
    engine.open(client, Transaction(engine.tree, number, domain))
    return b"%d\0" % number


def end(engine: Engine, client: Connection, view: View, payload: bytes) -> bytes:
    """TRANSACTION_END: commits, or drops the changes; the transaction is over in any case."""
    word = only_string(payload)
    if word not in (b"T", b"F"):
        raise Refused("EINVAL")
    if not isinstance(view, Transaction):
        raise Refused("ENOENT")
    try:
        if word == b"T":
            view.check(engine.domains)
            engine.direct.changes = view.apply()
            engine.direct.events = view.events()
    finally:
        engine.shut(view)
    return wire.OK
