"""The XenStore server without any input or output (docs/misc/xenstore.txt; where that leaves a choice, the C daemon).

An engine belongs to one thread. Clients are connections: bytes are fed to them and taken from them. Whoever needs the
tree to outlive the process listens to `on_commit`, which is told of every change before anybody can see its reply.
"""

from __future__ import annotations

from time import monotonic

from xenbus import wire
from xenbus.perm import DOMID_ANY
from xenbus.server import admin, nodes, sessions
from xenbus.server.arguments import Refused, domid_of, strings
from xenbus.server.connection import Connection
from xenbus.server.control import control
from xenbus.server.domains import FEATURES, Domains
from xenbus.server.perms import READ, Perms, parse_perms
from xenbus.server.tree import INTRODUCE_DOMAIN, RELEASE_DOMAIN, ROOT, Tree, parent
from xenbus.server.view import Direct
from xenbus.server.watches import WatchIndex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from xenbus.server.domains import Cause
    from xenbus.server.transaction import Transaction
    from xenbus.server.tree import Change
    from xenbus.server.view import View
    from xenbus.server.watches import Watch

    Handler = Callable[["Engine", Connection, View, bytes], bytes]


class Engine:
    """A store. `exists` asks the hypervisor whether there is a domain; `clock` gives seconds."""

    def __init__(self, exists: Callable[[int], bool] | None = None, clock: Callable[[], float] = monotonic) -> None:
        self.clock = clock
        self.tree = Tree()
        self.direct = Direct(self.tree)
        self.domains = Domains(self.tree, exists)
        self.watches = WatchIndex()
        self.connections: dict[Connection, None] = {}
        self.transactions: dict[Transaction, Connection] = {}
        """All that are open."""
        self.log = False
        self.on_introduce: Callable[[int, int, int], None] | None = None
        """Told of (domid, gfn, port) of a domain to be served; may raise Refused."""
        self.on_release: Callable[[int], None] | None = None
        """Told of a domain that is not served any more."""
        self.on_commit: Callable[[Sequence[Change]], None] | None = None
        self.on_print: Callable[[str], None] | None = None
        """Told what a client wants to have in the log."""
        self._prepare()

    def connect(self, domid: int = 0) -> Connection:
        """A client in a domain; those of domain 0 are privileged. Raises ValueError if there is no such domain."""
        domain = self.domains.find(domid)
        if domain is None:
            raise ValueError(f"domain {domid} does not exist")
        connection = Connection(self, domain)
        domain.connections.add(connection)
        self.connections[connection] = None
        return connection

    def expire(self) -> None:
        """Drops guests' events that nobody took in time; to be called about once a second if there are guests."""
        now = self.clock()
        for connection in [connection for connection in self.connections if not connection.privileged]:
            connection.expire(now)
            connection.resume()

    # The tree as it is kept and comes back.

    def records(self) -> Iterator[tuple[bytes, bytes, bytes]]:
        """All nodes as (path, value, permissions), such that `restore` makes the same tree of them."""
        for path in (INTRODUCE_DOMAIN, RELEASE_DOMAIN):
            yield path, b"", self.tree.nodes[path].perms.lasting()
        for path, node in self.tree.walk():
            yield path, node.value, node.perms.lasting()

    def restore(self, records: Iterable[tuple[bytes, bytes | None, bytes]]) -> None:
        """Replaces the whole tree, without events: (path, value or None if it is removed, permissions) in order."""
        for path in self.tree.below(ROOT)[:-1]:
            self.tree.drop(path)
        known: dict[bytes, Perms] = {}
        for path, value, wire_perms in records:
            if value is not None:
                perms = known.get(wire_perms)
                if perms is None:
                    perms = known[wire_perms] = self._restored(wire_perms)
                self.tree.put(path, value, perms)
            elif path in self.tree.nodes:
                for gone in self.tree.below(path):
                    self.tree.drop(gone)

    def _restored(self, perms: bytes) -> Perms:
        """Permissions without those who died meanwhile; what they owned is domain 0's."""
        texts = strings(perms)
        living = [text for text in texts[1:] if self._may_be_named(domid_of(text[1:]))]
        owner = texts[0] if self._may_be_named(domid_of(texts[0][1:])) else texts[0][:1] + b"0"
        return parse_perms([owner, *living], self._may_be_named)

    def _may_be_named(self, number: int) -> bool:
        return self.domains.may_be_named(number, FEATURES)

    def _prepare(self) -> None:
        perms = self.tree.nodes[ROOT].perms
        self.tree.put(RELEASE_DOMAIN, b"", Perms([*perms.entries, (DOMID_ANY, READ, False)]))
        for path in (b"/tool", b"/tool/xenstored"):
            self.tree.put(path, b"", perms)

    # Domains.

    def introduce(self, domid: int, gfn: int, port: int) -> None:
        """A domain is to be served: the frame of its ring, its event channel. Once more, it starts from scratch.

        Raises Refused if there is no such domain.
        """
        domain = self.domains.find(domid)
        if domain is None:
            raise Refused("EINVAL")
        known, domain.introduced = domain.introduced, True
        for connection in tuple(domain.connections):
            if not connection.privileged:
                connection.reset()
        try:
            if self.on_introduce:
                self.on_introduce(domid, gfn, port)
        except Refused:
            domain.introduced = known
            raise
        if not known:
            self._announce(INTRODUCE_DOMAIN, domid)

    def shut_down(self, domid: int) -> None:
        """A domain has stopped, but is still there: this is told once, until it is resumed."""
        domain = self.domains.introduced(domid)
        if domain and domid and not domain.shut_down:
            domain.shut_down = True
            self._announce(RELEASE_DOMAIN, domid)

    def release(self, domid: int) -> None:
        """A domain is gone, whether it was introduced or not: its connections, its nodes, what permissions say of it.

        Must be told before another domain can have the same id.
        """
        domain = self.domains.get(domid)
        if domain is None or not domid:
            return
        for connection in tuple(domain.connections):
            connection.end("its domain is gone")
        self._bury(domid)
        self.domains.remove(domid)
        if domain.introduced:
            if self.on_release:
                self.on_release(domid)
            self._announce(RELEASE_DOMAIN, domid)

    def _bury(self, dead: int) -> None:
        """Removes what a dead domain owns, wherever it is, and its rights (XSA-322, XSA-419)."""
        for transaction in self.transactions:
            transaction.doom(dead)
        for path in self.tree.naming(dead):
            node = self.tree.nodes.get(path)
            if node is None:
                continue
            if node.perms.owner != dead:
                self.direct.put(path, node.value, node.perms.without(dead))
            elif path in (ROOT, INTRODUCE_DOMAIN, RELEASE_DOMAIN):
                self.direct.put(path, node.value, node.perms.inherited(0).without(dead))
            else:
                self.direct.remove(path)
        self.publish()

    def _announce(self, special: bytes, domid: int) -> None:
        perms = (self.tree.nodes[special].perms,)  # not those of /, which is above all other nodes
        path = b"%b/%d" % (special, domid)
        self._notify(special, self.watches.plain(special), perms, None)
        self._notify(path, self.watches.covering(path, limited=True), perms, None)

    # What connections ask for.

    def perform(self, client: Connection, op: int, tx_id: int, payload: bytes, cause: Cause | None) -> bytes:
        """Does a request and gives its reply; raises Refused."""
        handler = _HANDLERS.get(op)
        if handler is None:
            raise Refused("ENOSYS")
        if not client.privileged and op in _PRIVILEGED:
            raise Refused("EACCES")
        view: View = self.direct
        if tx_id and op not in _OUTSIDE:
            transaction = client.transactions.get(tx_id)
            if transaction is None:
                raise Refused("ENOENT")
            view = transaction
        if self.log and self.on_print:
            self.on_print(f"domain {client.domid}: {wire.op_name(op)} {payload[:80]!r}")
        reply = handler(self, client, view, payload)
        if self.direct.changes:
            if cause and any(other is not client for other in self.transactions.values()):
                client.domain.spend(self.clock())
            self.publish(cause)
        return reply

    def publish(self, cause: Cause | None = None) -> None:
        """Tells of all changes that were made: first whoever keeps them, then watches."""
        changes, self.direct.changes = self.direct.changes, []
        events, self.direct.events = self.direct.events, []
        if self.on_commit and changes:
            self.on_commit(changes)
        nodes = self.tree.nodes
        for path, exact, perms in events:
            watches = self.watches.exactly(path) if exact else self.watches.covering(path)
            if watches:
                if path in nodes:
                    perms = (nodes[path].perms, nodes[parent(path)].perms, *perms)
                self._notify(path, watches, perms, cause)

    def _notify(self, path: bytes, watches: list[Watch], perms: tuple[Perms, ...], cause: Cause | None) -> None:
        for watch in watches:
            client = watch.connection
            if client.privileged or any(client.rights(some) & READ for some in perms):
                client.notify(watch.event(path), cause)

    # Watches, transactions and connections come and go.

    def add_watch(self, watch: Watch) -> None:
        """Registers a watch of a connection."""
        client = watch.connection
        client.watches[watch.path, watch.token] = watch
        self.watches.add(watch)
        client.domain.watches += 1
        client.domain.buffers += watch.memory()

    def drop_watch(self, watch: Watch) -> None:
        """Ends a watch."""
        client = watch.connection
        del client.watches[watch.path, watch.token]
        self.watches.remove(watch)
        client.domain.watches -= 1
        client.domain.buffers -= watch.memory()

    def drop_watches(self, client: Connection) -> None:
        """Ends all watches of a connection."""
        for watch in tuple(client.watches.values()):
            self.drop_watch(watch)

    def open(self, client: Connection, transaction: Transaction) -> None:
        """Registers a transaction of a connection."""
        client.transactions[transaction.number] = transaction
        self.transactions[transaction] = client

    def shut(self, transaction: Transaction) -> None:
        """Ends a transaction, whatever becomes of its changes."""
        client = self.transactions.pop(transaction)
        del client.transactions[transaction.number]
        transaction.release()

    def drop_transactions(self, client: Connection) -> None:
        """Drops all transactions of a connection."""
        for transaction in tuple(client.transactions.values()):
            self.shut(transaction)

    def forget(self, client: Connection) -> None:
        """A connection has ended."""
        self.connections.pop(client, None)


_HANDLERS: dict[int, Handler] = {
    wire.CONTROL: control,
    wire.DIRECTORY: nodes.directory,
    wire.READ: nodes.read,
    wire.GET_PERMS: nodes.get_perms,
    wire.WATCH: sessions.watch,
    wire.UNWATCH: sessions.unwatch,
    wire.TRANSACTION_START: sessions.begin,
    wire.TRANSACTION_END: sessions.end,
    wire.INTRODUCE: admin.introduce,
    wire.RELEASE: admin.release,
    wire.GET_DOMAIN_PATH: admin.domain_path,
    wire.WRITE: nodes.write,
    wire.MKDIR: nodes.mkdir,
    wire.RM: nodes.remove,
    wire.SET_PERMS: nodes.set_perms,
    wire.IS_DOMAIN_INTRODUCED: admin.is_introduced,
    wire.RESUME: admin.resume,
    wire.SET_TARGET: admin.set_target,
    wire.RESET_WATCHES: sessions.reset_watches,
    wire.DIRECTORY_PART: nodes.directory_part,
    wire.GET_FEATURE: admin.get_feature,
    wire.SET_FEATURE: admin.set_feature,
    wire.GET_QUOTA: admin.get_quota,
    wire.SET_QUOTA: admin.set_quota,
}
_OUTSIDE = (wire.WATCH, wire.UNWATCH)
"""What is never part of a transaction."""
_PRIVILEGED = frozenset(
    (
        *(wire.CONTROL, wire.INTRODUCE, wire.RELEASE, wire.IS_DOMAIN_INTRODUCED, wire.RESUME, wire.SET_TARGET),
        *(wire.SET_FEATURE, wire.GET_QUOTA, wire.SET_QUOTA),
    )
)
