"""One domain of the tests' hypervisor, and windows onto its memory."""

from __future__ import annotations

from collections import defaultdict
from types import TracebackType

from xenvm.host.hyper import CreateRequest, DomainInfo, VcpuContext
from xenvm.types import PAGE_SIZE, Domid, Gfn

Affinity = tuple[frozenset[int] | None, frozenset[int] | None]
FRESH = b"\xc2"
"""What memory holds that nobody has written to."""


class FakeDomain:
    """One domain."""

    def __init__(self, domid: Domid, request: CreateRequest) -> None:
        self.domid, self.uuid, self.request = domid, request.uuid, request
        self.vcpus = self.max_pages = self.pool = self.ports = self.cpu_time = 0
        self.online: set[int] = set()
        self.bits: int | None = None
        self.pauses = 1
        self.ran = self.dying = self.running = self.blocked = False
        self.held = False
        """Whether another domain holds pages of it, so that it stays as a zombie."""
        self.code: int | None = None
        self.frames: set[Gfn] = set()
        self.pages: dict[int, bytes] = {}
        self.params: dict[int, int] = {}
        self.grants: dict[int, tuple[Domid, Gfn]] = {}
        self.affinity: dict[int, tuple[frozenset[int] | None, frozenset[int] | None]] = defaultdict(
            lambda: (None, None)
        )
        self.entry: VcpuContext | None = None
        self.vuart: Gfn | None = None
        self.iomem: set[int] = set()
        self.mapped: dict[int, int] = {}
        self.irqs: list[int] = []
        self.devices: list[str] = []

    def read(self, address: int, size: int) -> bytes:
        """Guest-physical memory."""
        first, last = address // PAGE_SIZE, (address + size - 1) // PAGE_SIZE
        data = b"".join(self.page(gfn) for gfn in range(first, last + 1))
        return data[address % PAGE_SIZE :][:size]

    def page(self, gfn: int) -> bytes:
        return self.pages.get(gfn, FRESH * PAGE_SIZE)

    @property
    def info(self) -> DomainInfo:
        return DomainInfo(
            self.domid,
            self.uuid,
            dying=self.dying,
            shutdown=self.code is not None,
            paused=self.pauses > 0,
            blocked=self.blocked,
            running=self.running,
            shutdown_code=self.code,
            tot_pages=len(self.frames),
            max_pages=self.max_pages,
            cpu_time=self.cpu_time,
            nr_online_vcpus=len(self.online),
            max_vcpu_id=self.vcpus - 1,
        )


class FakeMapping:
    """A window onto pages; what was written is the domain's once it is closed."""

    def __init__(self, open_mappings: list[FakeMapping], domain: FakeDomain, first: Gfn, count: int) -> None:
        self._open, self._domain, self._first = open_mappings, domain, first
        self._bytes = bytearray(b"".join(domain.page(gfn) for gfn in range(first, first + count)))
        self.view = memoryview(self._bytes)
        self._open.append(self)

    def close(self) -> None:
        if self not in self._open:
            return
        self.view.release()  # BufferError: somebody keeps a slice, and the real pages could not be given back
        self._open.remove(self)
        for at in range(0, len(self._bytes), PAGE_SIZE):
            self._domain.pages[self._first + at // PAGE_SIZE] = bytes(self._bytes[at : at + PAGE_SIZE])

    def __enter__(self) -> FakeMapping:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
