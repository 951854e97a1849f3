"""One connection to a store, shared by any number of threads: requests go out, answers and events come back.

There is no reader thread. A thread that waits reads the connection itself, on behalf of all: answers go to whoever
asked (by request id), events to their queue, and the other waiting threads sleep until it has something for them.
Alone, a thread pays one send() and one recv() a round trip.
"""

from __future__ import annotations

from _thread import allocate_lock
from time import monotonic

from xenbus import wire
from xenbus.errors import InvalidValue, StoreClosed, StoreProtocolError, StoreTimeout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from threading import Condition

    from xenbus.port import Port
    from xenbus.request import Request

    Group = tuple[int, Sequence[Request]]
    """Requests of one transaction (0: of none)."""

OWN_TOKEN = b"xenbus:"
"""How the tokens of watches begin whose events never go to the common queue."""

_WHOLE_PAYLOAD_MAX = wire.PAYLOAD_MAX - wire.HEADER_SIZE


class Call:
    """Requests that were sent together: `replies` has (whether it is an error, payload) in their order."""

    __slots__ = ("missing", "replies", "requests")

    def __init__(self, requests: Sequence[Request]) -> None:
        self.requests, self.missing = requests, len(requests)
        self.replies: list[tuple[bool, bytes]] = [(False, b"")] * len(requests)

    def done(self) -> bool:
        """Whether all answers are there."""
        return not self.missing


class Marks:
    """Tokens of the watches of one owner that had events, or whatever `note` marks them by."""

    __slots__ = ("of",)

    def __init__(self) -> None:
        self.of: set[bytes] = set()

    def any(self) -> bool:
        """Whether there was an event."""
        return bool(self.of)

    def note(self, token: bytes, path: bytes) -> None:
        """An event came; what it is marked by."""
        self.of.add(token)


class Link:
    """A connection with its tables of open requests and of watches."""

    def __init__(self, port: Port) -> None:
        self.address = port.address
        self.events: list[tuple[str, str]] = []
        self.sinks: dict[bytes, Marks] = {}
        """Owners of watches, by token."""
        self._port = port
        self._clock: Callable[[], float] | None = getattr(port, "clock", None)
        self._decoder = wire.Decoder()
        self._open: dict[int, tuple[Call, int]] = {}
        self._last_id = self._tokens = 0
        self._failure: StoreClosed | None = None
        self._sending = allocate_lock()
        self._lock = allocate_lock()
        self._turn: Condition | None = None
        self._reading = self._closed = False
        self._sleepers = 0

    def fileno(self) -> int:
        """The connection's descriptor."""
        return self._port.fileno()

    def clock(self) -> float:
        """The time that deadlines are compared with, in seconds: time.monotonic(), or a simulated host's own."""
        return monotonic() if self._clock is None else self._clock()

    def send(self, groups: Sequence[Group], deadline: float) -> Call:
        """Sends requests with as few writes as possible; does not wait for answers."""
        requests = groups[0][1] if len(groups) == 1 else [request for _tx, some in groups for request in some]
        alone = self._port.whole_packets
        if alone and any(len(request.payload) > _WHOLE_PAYLOAD_MAX for request in requests):
            raise InvalidValue(f"{self.address} takes at most {_WHOLE_PAYLOAD_MAX} bytes a request")
        with self._sending:
            if self._failure:
                raise self._failed()
            call = Call(requests)
            packets = self._pack(call, groups)
            if alone:
                self._put_one_by_one(packets, deadline)
            else:
                self._put(b"".join(packets), deadline)
        return call

    def finish(self, call: Call, deadline: float, timeout: float) -> None:
        """Waits for all answers; raises StoreTimeout. Answers that come later are thrown away."""
        if not self.wait(call.done, deadline):
            missing = {index for owner, index in self._open.copy().values() if owner is call}
            request = call.requests[min(missing, default=0)]
            what = f"{request.verb} {request.path}".rstrip()
            raise StoreTimeout(f"the store at {self.address} did not answer within {timeout:g} s: {what}")

    def wait(self, ready: Callable[[], bool], deadline: float | None) -> bool:
        """Blocks until `ready` or the deadline (then False); a past deadline looks once at what has arrived.

        Raises StoreClosed if the connection ends before.
        """
        with self._lock:
            looked = False
            while not ready():
                if self._failure:
                    raise self._failed()
                left = None if deadline is None else max(0.0, deadline - self.clock())
                if looked and left == 0:
                    return False
                looked = True
                if self._reading:
                    self._sleep(left)
                else:
                    self._lead(left)
            return True

    def close(self) -> None:
        """Ends the connection; threads that wait get StoreClosed."""
        with self._lock:
            self._fail(StoreClosed(self.address, "this program closed it"))
            while self._reading:
                self._sleep(None)
            closed, self._closed = self._closed, True
        if not closed:
            with self._sending:
                self._port.close()

    # Watches with an owner.

    def new_token(self, marks: Marks) -> bytes:
        """A token that no watch had before; its events are marked in `marks` until it is taken out of `sinks`."""
        with self._lock:
            self._tokens += 1
            token = OWN_TOKEN + b"%x" % self._tokens
            self.sinks[token] = marks
        return token

    def take_marks(self, marks: Marks) -> list[bytes]:
        """The marks since the last call."""
        with self._lock:
            tokens = list(marks.of)
            marks.of.clear()
        return tokens

    # Sending; all while no other thread sends.

    def _pack(self, call: Call, groups: Sequence[Group]) -> list[bytes]:
        packets: list[bytes] = []
        number = self._last_id
        for tx, requests in groups:
            for request in requests:
                number = (number + 1) & 0xFFFFFFFF
                while not number or number in self._open:
                    number = (number + 1) & 0xFFFFFFFF
                self._open[number] = call, len(packets)
                packets.append(wire.pack(request.op, number, tx, request.payload))
        self._last_id = number
        return packets

    def _put_one_by_one(self, packets: list[bytes], deadline: float) -> None:
        """Each when all before it are answered, those of earlier calls too."""
        unsent = list(self._open)[-len(packets) :]
        while unsent:
            try:
                if not self.wait(lambda: len(self._open) <= len(unsent), deadline):
                    raise StoreTimeout(f"the store at {self.address} takes no more requests")
                self._put(packets[-len(unsent)], deadline)
            except BaseException:
                with self._lock:
                    for number in unsent:
                        self._open.pop(number, None)
                raise
            del unsent[0]

    def _put(self, data: bytes, deadline: float) -> None:
        try:
            sent = self._port.send(data)
            if sent < len(data):
                self._put_slowly(memoryview(data)[sent:], deadline)
        except OSError as error:
            self._fail(StoreClosed(self.address, error.strerror or "it cannot be written"))
            raise self._failed() from None

    def _put_slowly(self, rest: memoryview, deadline: float) -> None:
        """The server may be waiting for us to take its answers: reads until it takes requests again."""
        try:
            while rest:
                left = deadline - self.clock()
                if left <= 0:
                    raise StoreTimeout(f"the store at {self.address} takes no more requests")
                self._port.wait_for_room(left)
                with self._lock:
                    if self._failure:
                        raise self._failed()
                    if not self._reading:
                        self._lead(0)
                rest = rest[self._port.send(rest) :]
        except OSError:
            raise
        except BaseException:
            # Half a packet is out: nothing sensible can follow it.
            self._fail(StoreClosed(self.address, "sending was interrupted"))
            raise

    # Receiving; all with the lock held.

    def _sleep(self, left: float | None) -> None:
        """Waits until the thread that reads has something new, or leaves."""
        from threading import Condition  # only where a second thread is: it is much to load

        self._turn = self._turn or Condition(self._lock)
        self._sleepers += 1
        try:
            self._turn.wait(left)
        finally:
            self._sleepers -= 1

    def _lead(self, left: float | None) -> None:
        """Waits for the connection on behalf of all threads (the lock is free meanwhile) and takes what came."""
        self._reading = True
        self._lock.release()
        data, problem = None, ""
        try:
            data = self._port.receive(left)
            if data == b"":
                problem = "the server ended it"
        except OSError as error:
            problem = error.strerror or "it cannot be read"
        finally:
            self._lock.acquire()
            self._reading = False
            if self._turn is not None and self._sleepers:
                self._turn.notify_all()
        if problem:
            self._fail(StoreClosed(self.address, problem))
        elif data:
            self._take(data)

    def _take(self, data: bytes) -> None:
        try:
            self._dispatch(self._decoder.feed(data))
        except wire.PacketError as error:
            self._fail(StoreProtocolError(self.address, str(error)))
        except BaseException:
            self._fail(StoreClosed(self.address, "receiving was interrupted"))
            raise

    def _dispatch(self, packets: list[wire.Packet]) -> None:
        for op, req_id, _tx_id, payload in packets:
            if op == wire.WATCH_EVENT:
                self._event(payload)
                continue
            call, index = self._open.pop(req_id, (None, 0))
            if call is None:
                raise wire.PacketError(f"an answer to request {req_id}, which is not open")
            if op != wire.ERROR and op != call.requests[index].op:
                raise wire.PacketError(f"an answer of {wire.op_name(op)} to {call.requests[index]!r}")
            call.replies[index] = op == wire.ERROR, payload
            call.missing -= 1

    def _event(self, payload: bytes) -> None:
        path, _nul, rest = payload.partition(b"\0")
        token, nul, _rest = rest.partition(b"\0")
        if not nul:
            raise wire.PacketError("an event without a token")
        marks = self.sinks.get(token)
        if marks is not None:
            marks.note(token, path)
        elif not token.startswith(OWN_TOKEN):
            self.events.append((path.decode("utf-8", "surrogateescape"), token.decode("utf-8", "surrogateescape")))

    # Failing.

    def _fail(self, failure: StoreClosed) -> None:
        if self._failure is None:
            self._failure = failure
            if self._reading:
                self._port.wake()

    def _failed(self) -> StoreClosed:
        """A fresh error for each thread: tracebacks must not mix."""
        failure = self._failure or StoreClosed(self.address, "it was lost")
        return type(failure)(failure.address, failure.reason)
