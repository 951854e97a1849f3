"""One connection to a store, shared by any number of threads: requests go out, answers and events come back.

There is no reader thread. A thread that waits reads the connection itself, on behalf of all: answers go to whoever
asked (by request id), events to their queue, and the other waiting threads sleep until it has something for them.
Alone, a thread pays one write, one poll and one read a round trip.
"""

from __future__ import annotations

import os
import select
from collections import deque
from io import FileIO
from threading import Condition, Lock
from time import monotonic

from xenbus import wire
from xenbus.errors import InvalidValue, StoreClosed, StoreProtocolError, StoreTimeout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Protocol

    from xenbus.request import Request

    Group = tuple[int, Sequence[Request]]
    """Requests of one transaction (0: of none)."""

    class Connection(Protocol):
        """What carries the bytes."""

        def fileno(self) -> int: ...
        def close(self) -> None: ...


OWN_TOKEN = b"xenbus:"
"""How the tokens of watches begin whose events never go to the common queue."""

_WHOLE_PAYLOAD_MAX = wire.PAYLOAD_MAX - wire.HEADER_SIZE
_READ_SIZE = 1 << 16
_READABLE = select.POLLIN | select.POLLHUP | select.POLLERR


class Call:
    """Requests that were sent together: `replies` has (whether it is an error, payload) in their order."""

    __slots__ = ("first", "missing", "replies", "requests")

    def __init__(self, requests: Sequence[Request], first: int) -> None:
        self.requests, self.first, self.missing = requests, first, len(requests)
        self.replies: list[tuple[bool, bytes]] = [(False, b"")] * len(requests)

    def done(self) -> bool:
        """Whether all answers are there."""
        return not self.missing


class Marks:
    """Which watches of one owner had events: token -> how many answers the connection had received before."""

    __slots__ = ("of",)

    def __init__(self) -> None:
        self.of: dict[bytes, int] = {}

    def any(self) -> bool:
        """Whether there was an event."""
        return bool(self.of)


class Link:
    """A connection with its tables. `whole_packets`: the other side takes exactly one packet a write, as Linux'
    /dev/xen/xenbus does, and none of more than 4096 bytes with its header."""

    def __init__(self, connection: Connection, address: str, *, whole_packets: bool = False) -> None:
        self.address, self.events = address, deque[tuple[str, str]]()
        self.sinks: dict[bytes, Marks] = {}
        """Owners of watches, by token."""
        self._connection, self._whole_packets = connection, whole_packets
        self._fd = connection.fileno()
        os.set_blocking(self._fd, False)
        self._turn = Condition(Lock())
        self._sending = Lock()
        self._decoder = wire.Decoder()
        self._open: dict[int, tuple[Call, int]] = {}
        self._last_id = self._sent = self._received = self._tokens = 0
        self._reading = False
        self._failure: StoreClosed | None = None
        woken, waker = os.pipe()
        self._woken, self._waker = FileIO(woken, "rb"), FileIO(waker, "wb")
        """Ends the poll of a thread that reads when another one closes the link."""
        self._poll = self._poll_for(_READABLE)

    def fileno(self) -> int:
        """The connection's descriptor."""
        return self._fd

    def send(self, groups: Sequence[Group], deadline: float) -> Call:
        """Sends requests with as few writes as possible; does not wait for answers."""
        requests = groups[0][1] if len(groups) == 1 else [request for _tx, some in groups for request in some]
        if self._whole_packets and any(len(request.payload) > _WHOLE_PAYLOAD_MAX for request in requests):
            raise InvalidValue(f"{self.address} takes at most {_WHOLE_PAYLOAD_MAX} bytes a request")
        with self._sending:
            self._check()
            call = Call(requests, self._sent)
            packets, index = [], 0
            for tx, some in groups:
                for request in some:
                    packets.append(wire.pack(request.op, self._new_id(call, index), tx, request.payload))
                    index += 1
            self._sent += index
            self._put(packets, deadline)
        return call

    def wait(self, ready: Callable[[], bool], deadline: float | None) -> bool:
        """Blocks until `ready` or the deadline (then False); a past deadline looks once at what has arrived.

        Raises StoreClosed if the connection ends before.
        """
        with self._turn:
            looked = False
            while not ready():
                self._check()
                left = None if deadline is None else max(0.0, deadline - monotonic())
                if looked and left == 0:
                    return False
                looked = True
                if self._reading:
                    self._turn.wait(left)
                else:
                    self._lead(self._poll, left)
            return True

    def finish(self, call: Call, deadline: float, timeout: float) -> None:
        """Waits for all answers; raises StoreTimeout. Answers that come later are thrown away."""
        if not self.wait(call.done, deadline):
            missing = {index for owner, index in self._open.copy().values() if owner is call}
            request = call.requests[min(missing, default=0)]
            what = f"{request.verb} {request.path}".rstrip()
            raise StoreTimeout(f"the store at {self.address} did not answer within {timeout:g} s: {what}")

    def new_token(self, marks: Marks) -> bytes:
        """A token that no watch had before; its events are marked in `marks` until it is taken out of `sinks`."""
        with self._turn:
            self._tokens += 1
            token = OWN_TOKEN + b"%x" % self._tokens
            self.sinks[token] = marks
        return token

    def take_marks(self, marks: Marks) -> list[bytes]:
        """The tokens with events since the last call."""
        with self._turn:
            tokens = list(marks.of)
            marks.of.clear()
        return tokens

    def settle(self, marks: Marks, token: bytes, answer: int) -> None:
        """Forgets an event that came before answer number `answer`: what was read then is not older than the event."""
        with self._turn:
            if marks.of.get(token, answer + 1) <= answer:
                del marks.of[token]

    def close(self) -> None:
        """Ends the connection; threads that wait get StoreClosed."""
        with self._turn:
            self._fail(StoreClosed(self.address, "this program closed it"))
            while self._reading:
                self._turn.wait()
        with self._sending:
            if not self._waker.closed:
                self._waker.close()
                self._woken.close()
                self._connection.close()

    # Sending.

    def _new_id(self, call: Call, index: int) -> int:
        number = self._last_id
        while True:
            number = (number + 1) & 0xFFFFFFFF
            if number and number not in self._open:
                break
        self._last_id = number
        self._open[number] = call, index
        return number

    def _put(self, packets: list[bytes], deadline: float) -> None:
        if not self._whole_packets:
            packets = [b"".join(packets)]
        try:
            for data in packets:
                rest: bytes | memoryview = data
                while rest:
                    rest = self._put_some(rest, deadline)
        except BaseException:
            # Half a packet may be out: nothing sensible can follow it.
            self._fail(StoreClosed(self.address, "sending was interrupted"))
            raise

    def _put_some(self, data: bytes | memoryview, deadline: float) -> bytes | memoryview:
        try:
            sent = os.write(self._fd, data)
            return memoryview(data)[sent:] if sent < len(data) else b""
        except BlockingIOError:
            self._make_room(deadline)
            return data
        except OSError as error:
            self._fail(StoreClosed(self.address, error.strerror or "it cannot be written"))
            raise self._failed() from None

    def _make_room(self, deadline: float) -> None:
        """The server may be waiting for us to take its answers: read until it takes requests again."""
        left = deadline - monotonic()
        if left <= 0:
            raise StoreTimeout(f"the store at {self.address} takes no more requests")
        with self._turn:
            self._check()
            if not self._reading:
                self._lead(self._poll_for(_READABLE | select.POLLOUT), left)
                return
        writable = select.poll()
        writable.register(self._fd, select.POLLOUT)
        writable.poll(left * 1000)

    # Receiving; all with the turn held.

    def _poll_for(self, events: int) -> select.poll:
        poll = select.poll()
        poll.register(self._fd, events)
        poll.register(self._woken, select.POLLIN)
        return poll

    def _lead(self, poll: select.poll, left: float | None) -> None:
        """Waits for the connection on behalf of all threads (the turn is free meanwhile) and takes what came."""
        self._reading = True
        self._turn.release()
        try:
            some = poll.poll(None if left is None else left * 1000)
        finally:
            self._turn.acquire()
            self._reading = False
            self._turn.notify_all()
        for fd, events in some:
            if fd == self._fd and events & _READABLE and not self._failure:
                self._take()

    def _take(self) -> None:
        try:
            data = os.read(self._fd, _READ_SIZE)
            if data:
                self._dispatch(self._decoder.feed(data))
            else:
                self._fail(StoreClosed(self.address, "the server ended it"))
        except BlockingIOError:
            return
        except OSError as error:
            self._fail(StoreClosed(self.address, error.strerror or "it cannot be read"))
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
            self._received += 1
            call.replies[index] = op == wire.ERROR, payload
            call.missing -= 1

    def _event(self, payload: bytes) -> None:
        path, _nul, rest = payload.partition(b"\0")
        token, nul, _rest = rest.partition(b"\0")
        if not nul:
            raise wire.PacketError("an event without a token")
        marks = self.sinks.get(token)
        if marks is not None:
            marks.of[token] = self._received
        elif not token.startswith(OWN_TOKEN):
            self.events.append((path.decode("utf-8", "surrogateescape"), token.decode("utf-8", "surrogateescape")))

    # Failing.

    def _fail(self, failure: StoreClosed) -> None:
        if self._failure is None:
            self._failure = failure
            if self._reading:
                self._waker.write(b"!")

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failed()

    def _failed(self) -> StoreClosed:
        """A fresh error for each thread: tracebacks must not mix."""
        failure = self._failure or StoreClosed(self.address, "it was lost")
        return type(failure)(failure.address, failure.reason)
