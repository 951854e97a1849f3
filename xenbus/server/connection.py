"""One client of the engine: cuts its bytes into requests, and keeps replies and events until they are taken.

A client that does not take what is meant for it is not served any further, so that nothing grows without bound: its
requests wait in whatever carries them. A guest's request also waits while earlier ones have events that other clients
have not taken (XSA-326).
"""

from __future__ import annotations

from xenbus import wire
from xenbus.path import RELATIVE_MAX
from xenbus.server import arguments, quota
from xenbus.server.arguments import Refused
from xenbus.server.domains import Cause
from xenbus.server.perms import ALL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenbus.server.domains import Domain
    from xenbus.server.engine import Engine
    from xenbus.server.perms import Perms
    from xenbus.server.transaction import Transaction
    from xenbus.server.watches import Watch

    Packet = tuple[bytes, bytes, Cause | None, float]
    """(bytes, the payload if it is an event that could be merged, whose request it belongs to, when to drop it)"""

OUTPUT_HIGH = 1 << 18
"""Bytes for a privileged client from which on its requests wait."""
OUTPUT_MAX = 1 << 25
"""Bytes of events for a privileged client that are too many: it is given up."""
INPUT_MAX = 1 << 20
"""Bytes of requests that may wait here; whoever heeds `blocked` comes nowhere near."""
EVENT_PATIENCE = 20.0
"""Seconds after which a guest's event is dropped, if it is not taken."""


class Connection:
    """A client; made by `Engine.connect`."""

    def __init__(self, engine: Engine, domain: Domain) -> None:
        self.domid = domain.domid
        self.domain = domain
        self.privileged = not domain.domid
        self.closed = ""
        """Why the server ended it."""
        self.on_pending: Callable[[Connection], None] | None = None
        """Told when there is something to take, and was nothing before."""
        self.home = b"/local/domain/%d/" % domain.domid
        self.watches: dict[tuple[bytes, bytes], Watch] = {}
        self.transactions: dict[int, Transaction] = {}
        self.last_transaction = 0
        self.greeting = b""
        """The first event of a watch, which goes out behind the reply to its request."""
        self._engine = engine
        self._input = b""
        self._started = b""
        self._output: list[Packet] = []
        self._size = 0
        self._events: set[bytes] = set()
        self._serving = False

    # What carries the bytes.

    @property
    def pending(self) -> bool:
        """Whether take() would give something."""
        return bool(self._output or self._started)

    @property
    def blocked(self) -> bool:
        """Whether requests have to wait; meanwhile nothing more should be fed."""
        if self.privileged:
            return self._size >= OUTPUT_HIGH
        return self.domain.overloaded() or (self.domain.credit < 0 and self.domain.refill(self._engine.clock()) < 0)

    def feed(self, data: bytes) -> None:
        """Bytes from the client, in any cuts; requests are done at once, unless they have to wait."""
        if self._serving:
            raise RuntimeError(f"a request of domain {self.domid} makes the engine send another one by the same client")
        if not self.closed:
            self._input = self._input + data if self._input else data
            self.resume()
            if len(self._input) > INPUT_MAX:
                self.end("it sends without regard to what waits already")

    def take(self, limit: int = -1) -> bytes:
        """Bytes for the client, at most `limit`."""
        if limit < 0 or limit >= len(self._started) + self._size:
            packets, self._output, self._size = self._output, [], 0
            started, self._started = self._started, b""
            data = started + b"".join([packet[0] for packet in packets])
        else:
            packets = self._begin(limit)
            data, self._started = self._started[:limit], self._started[limit:]
        self._taken(packets)
        return data

    def close(self) -> None:
        """The client is gone."""
        self.end("the client ended it")

    # What the engine does with it.

    def resume(self) -> None:
        """Does the requests that are complete and need not wait."""
        if self._serving or not self._input or self.closed:
            return
        self._serving = True
        data, at, size, unpack = self._input, 0, len(self._input), wire.HEADER.unpack_from
        room = OUTPUT_HIGH if self.privileged else 0  # below which nothing else can make a request wait
        try:
            while (start := at + wire.HEADER_SIZE) <= size:
                op, req_id, tx_id, length = unpack(data, at)
                if length > wire.PAYLOAD_MAX:
                    self.end(f"a request of {length} bytes, {wire.PAYLOAD_MAX} are allowed")
                elif start + length <= size and (self._size < room or not self.blocked):
                    at = start + length
                    self._serve(op, req_id, tx_id, data[start:at])
                else:
                    return
                if data is not self._input:
                    return  # The request ended or reset its own connection.
        finally:
            self._serving = False
            if data is self._input:
                self._input = data[at:]

    def rights(self, perms: Perms) -> int:
        """What the client may do with a node."""
        return ALL if self.privileged else perms.rights(self.domid, self.domain.target)

    def resolve(self, raw: bytes, special: bool = False) -> bytes:
        """The absolute form of a path that the client gave."""
        path = arguments.resolve(raw, self.home, special)
        if self.privileged and len(path) <= RELATIVE_MAX:
            return path
        longest = RELATIVE_MAX if self.privileged else min(RELATIVE_MAX, self.domain.quotas.limit(quota.PATH_MAX))
        if len(path) > longest and arguments.counted_length(path) > longest:
            raise Refused("EINVAL")
        return path

    def notify(self, payload: bytes, cause: Cause | None = None) -> None:
        """Queues an event, unless the same one waits already, it is too long, or the client has no room for it."""
        if len(payload) > wire.PAYLOAD_MAX or self.closed:
            return
        key = b"" if payload[:1] == b"@" else payload
        if key in self._events:
            return
        deadline = 0.0
        if not self.privileged:
            if not self.domain.has_room(_cost(payload) + 2 * wire.HEADER_SIZE):
                return
            deadline = self._engine.clock() + EVENT_PATIENCE
        if key:
            self._events.add(key)
        self._put(wire.pack(wire.WATCH_EVENT, 0, 0, payload), key, cause, deadline)
        if self._size > OUTPUT_MAX:
            self.end("it does not take its events")

    def expire(self, now: float) -> None:
        """Drops events that were not taken in time."""
        late = [packet for packet in self._output if packet[3] and packet[3] <= now]
        if late:
            self._output = [packet for packet in self._output if not packet[3] or packet[3] > now]
            self._size -= sum(len(packet[0]) for packet in late)
            self._taken(late)

    def reset(self) -> None:
        """Drops watches, transactions and all that is under way."""
        self._engine.drop_watches(self)
        self._engine.drop_transactions(self)
        packets, self._output, self._size = self._output, [], 0
        self._input = self._started = b""
        self._taken(packets)

    def end(self, reason: str) -> None:
        """Ends the connection; once more is no harm (XSA-233)."""
        if not self.closed:
            self.closed = reason
            self.domain.connections.discard(self)
            self._engine.forget(self)
            self.reset()

    # Requests.

    def _serve(self, op: int, req_id: int, tx_id: int, payload: bytes) -> None:
        cause = None if self.privileged else Cause(self.domain)
        try:
            reply = self._engine.perform(self, op, tx_id, payload, cause)
            if len(reply) > wire.PAYLOAD_MAX:
                raise Refused("E2BIG")
        except Refused as error:
            op, reply = wire.ERROR, str(error).encode() + b"\0"
        if self.closed:
            return
        self._put(wire.HEADER.pack(op, req_id, tx_id, len(reply)) + reply, b"", cause, 0.0)
        if self.greeting:
            greeting, self.greeting = self.greeting, b""
            self.notify(greeting)

    # Replies and events.

    def _put(self, data: bytes, key: bytes, cause: Cause | None, deadline: float) -> None:
        self._output.append((data, key, cause, deadline))
        self._size += len(data)
        if cause:
            cause.hold()
        if not self.privileged:
            self.domain.buffers += _cost(data)
        if self.on_pending and len(self._output) == 1 and not self._started:
            self.on_pending(self)

    def _begin(self, limit: int) -> list[Packet]:
        """Moves packets to `_started` until it has `limit` bytes."""
        count = 0
        pieces, have = [self._started], len(self._started)
        while have < limit:
            pieces.append(self._output[count][0])
            have += len(pieces[-1])
            count += 1
        packets, self._output = self._output[:count], self._output[count:]
        self._size -= have - len(self._started)
        self._started = b"".join(pieces)
        return packets

    def _taken(self, packets: list[Packet]) -> None:
        """These packets are on their way or dropped: requests that waited for that may go on."""
        woken: dict[Domain, None] = {}
        for data, key, cause, _deadline in packets:
            if key:
                self._events.discard(key)
            if not self.privileged:
                self.domain.buffers -= _cost(data)
            domain = cause.settle() if cause else None
            if domain:
                woken[domain] = None
        for domain in woken:
            domain.wake()
        if self._input:
            self.resume()


def _cost(data: bytes) -> int:
    """What a packet that waits for a guest counts as memory; an event is kept twice, to recognise the next one."""
    return quota.OVERHEAD + 2 * len(data)
