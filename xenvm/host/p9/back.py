"""Shared folders of guests: the back end of 9pfs (public/io/9pfs.h), with a server of 9P2000.L behind its rings."""

from __future__ import annotations

from xenbus.errors import DeviceFault
from xenbus.parse import parse_decimal, parse_text, parse_word, shown
from xenvm.host.back import BackDriver, GuestBackend
from xenvm.host.p9.ring import ORDER_MAX, FolderRing, references
from xenvm.host.p9.server import Server
from xenvm.host.p9.tree import HELD_MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Self

    from xenbus.client import Store
    from xenbus.devicebus import Bus
    from xenvm.host.back import BackSide

KIND = "9pfs"
MODELS = ("none", "passthrough")
"""Whose files are: the guest says it. They differ where a file system has no owners, see docs/folders.md."""
RINGS_MAX = 4
TURN = 8
"""Requests of one ring before others have their turn."""
_OTHERS = ("max-files", "max-space", "auto-delete")


class FolderBack(GuestBackend):
    """One folder of one guest."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._refs: list[int] = []
        self._ports: list[int] = []
        self._rings: list[FolderRing] = []
        self._server: Server | None = None

    @classmethod
    def probe(cls, bus: Bus, path: str) -> Self | None:
        """A guest that has a QEMU, as xl starts one for its folders, is that one's."""
        found = super().probe(bus, path)
        if found and bus.watcher.store.read_or_none(f"device-model/{found.remote}/state") is not None:
            return None
        return found

    def offer(self) -> Mapping[str, object]:
        """Says what the rings can be like."""
        return {"versions": 1, "max-rings": RINGS_MAX, "max-ring-page-order": ORDER_MAX}

    def connect(self) -> Mapping[str, object]:
        """Maps the rings and opens the folder."""
        untrusted = self.read_peer("version", "num-rings")
        version, count = map(parse_word, untrusted)
        if version != 1:
            raise DeviceFault(f"{self.peer} speaks version {shown(untrusted[0])} of the rings, not 1")
        if count is None or not 1 <= count <= RINGS_MAX:
            raise DeviceFault(f"{self.peer} asks for {shown(untrusted[1])} rings: it can have 1 to {RINGS_MAX}")
        for number in range(count):
            self._add_ring(*self.read_peer(f"ring-ref{number}", f"event-channel-{number}"))
        self._server = self._open(min(ring.size for ring in self._rings))
        self.bus.kick(self)  # There can be requests already.
        return {}

    def _add_ring(self, untrusted_ref: bytes | None, untrusted_port: bytes | None) -> None:
        port = self.parse_port(untrusted_port)
        ref, page = self.map_ring(untrusted_ref)
        self._refs.append(ref)
        pages = []
        for each in references(page):
            pages.append(self.side.map_grant(self.remote, each))
            self._refs.append(each)
        self._rings.append(FolderRing(page, pages))
        local = self.side.bind(self.remote, port)
        self._ports.append(local)
        self.bus.ports[local] = self

    def _open(self, msize: int) -> Server:
        path, model, most, *others = self.read("path", "security_model", "max-open-files", *_OTHERS)
        for name, value in zip(_OTHERS, others, strict=True):
            if parse_decimal(value):
                raise DeviceFault(f"{self.path} has {name}, which this server does not keep")
        if not path or parse_text(model) not in MODELS:
            raise DeviceFault(f"{self.path} has no path, or a security model that is none of {', '.join(MODELS)}")
        limit = min(parse_decimal(most) or HELD_MAX, HELD_MAX)
        try:
            return Server(path, msize, strict=model == b"passthrough", limit=limit)
        except OSError as error:
            raise DeviceFault(f"{path.decode(errors='replace')} cannot be shared: {error.strerror}") from error

    def release(self) -> None:
        """Unmaps the rings, and closes all that the guest has open."""
        while self._ports:
            port = self._ports.pop()
            self.bus.ports.pop(port, None)
            self.side.unbind(port)
        while self._rings:
            self._rings.pop().close()
        while self._refs:
            self.side.unmap_grant(self.remote, self._refs.pop())
        if self._server:
            self._server.close()
            self._server = None

    def serve(self) -> bool:
        """Answers what is there, a few requests of each ring at a time."""
        if self._server is None:
            return False
        done = [self._serve(self._server, ring, port) for ring, port in zip(self._rings, self._ports, strict=True)]
        if TURN in done:
            self.bus.kick(self)
        return any(done)

    def _serve(self, server: Server, ring: FolderRing, port: int) -> int:
        """How many requests were answered; none is taken without room for the largest answer."""
        done = 0
        while done < TURN and ring.has_room(server.msize) and (request := ring.take(server.msize)) is not None:
            ring.answer(request, server.handle(request))
            done += 1
        if done:
            self.side.notify(port)
        return done


class FolderDriver(BackDriver):
    """The driver of all folders."""

    def __init__(self, store: Store, side: BackSide) -> None:
        super().__init__(KIND, store, side, FolderBack.probe)
