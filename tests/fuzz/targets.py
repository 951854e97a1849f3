"""What is fuzzed: each parser with its seeds, its grammar, and the only exceptions that it may raise."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from tempfile import mkdtemp

from tests.fuzz import grammar
from tests.unit.guest.test_fdtblob import GOOD
from xenbus import blkif, netif, parse, wire
from xenbus.bytering import STORE_REPLIES, STORE_REQUESTS, ByteReader, ByteWriter
from xenbus.errors import InvalidValue, RingError
from xenbus.escape import escape, unescape
from xenbus.meaning import meaning, state_of
from xenbus.perm import parse_perms
from xenbus.ring import BackRing, FrontRing
from xenbus.server.connection import Connection
from xenbus.server.engine import Engine
from xenbus.server.files import ServerError
from xenbus.server.journal import MAGIC, Journal, record
from xenbus.server.ring import ServerEnd
from xenvm.errors import ConfigError, HostError, HypercallError, ImageError
from xenvm.guest import fdtblob, layout
from xenvm.guest.cpus import parse_affinity, parse_cpus
from xenvm.guest.disk import parse_disk, vdev_to_devid
from xenvm.guest.image import Kernel, open_kernel
from xenvm.guest.libxl_json import record as libxl_record
from xenvm.guest.load import check_text, load_text
from xenvm.guest.numerals import integer, memory_size
from xenvm.guest.vif import parse_rate, parse_vif
from xenvm.host.hyper import VcpuContext
from xenvm.host.sim.boot import Panic, boot_log, look_around
from xenvm.host.sim.choice import Choice
from xenvm.host.sim.devicetree import read_tree, tree_size
from xenvm.testing.host import XenHost
from xenvm.types import KiB

TOP = Path(__file__).resolve().parents[2]


class Target:
    """One parser. `run` may raise `refusals` and nothing else; `grammar` makes about half of the inputs."""

    def __init__(
        self,
        name: str,
        run: Callable[[bytes], object],
        refusals: tuple[type[Exception], ...],
        seeds: Sequence[bytes],
        grammar: Callable[[Random], bytes],
    ) -> None:
        self.name, self.run, self.refusals, self.seeds, self.grammar = name, run, refusals, seeds, grammar


# Configurations.


def config(data: bytes) -> None:
    """A guest, or errors with their places; both ways of asking agree."""
    found = check_text(data, "f")
    try:
        spec, warnings = load_text(data, "f")
    except ConfigError as error:
        assert str(error) and any(each.severity == "error" for each in found), (
            "load_text refuses what check_text accepts"
        )
        raise
    assert warnings == found
    libxl_record(spec.replace(uuid="0" * 36))


CONFIGS = [
    (TOP / "examples/guest.cfg").read_bytes(),
    b"name='g'\nkernel='/k'\nmemory=512\nmaxmem=1024\nvcpus=2\nmaxvcpus=4\ncpus=['0-3','^2']\n"
    b"disk=['file:/a,xvda,w','format=qcow2,vdev=xvdb,access=ro,target=/b']\nvif=['mac=00:16:3e:01:02:03,rate=1Mb/s']\n",
    b"name = \"g\"; kernel = 'k'; extra = 'a=b c' # end\non_crash='preserve'\niomem=['0x1000,2@0x3']\n",
]


# Text on its own.


def texts(data: bytes) -> None:
    """Each reader of strings: whatever it does with a text, the next one gets it too."""
    text = data.decode("utf-8", "surrogateescape")
    refused: Exception | None = None
    readers: tuple[Callable[[str], object], ...] = (
        *(parse_disk, vdev_to_devid, parse_rate, parse_cpus, parse_affinity, integer, memory_size, Choice),
        *(lambda text: parse_vif(text, 0), lambda text: parse_disk(text.split()), lambda text: parse_cpus(text, 4)),
    )
    for read in readers:
        try:
            read(text)
        except (ConfigError, HostError) as error:
            assert str(error)
            refused = error
    if refused:
        raise refused


WORDS = [
    *(
        b"file:/a b,xvda,w",
        b"format=qcow2,vdev=xvdb,access=ro,target=/b",
        b"/dev/vg/x,,hda1,r",
        b"phy:/dev/x,sdb3:cdrom,w!",
    ),
    *(
        b"mac=00:16:3e:01:02:03,bridge=br0,rate=10Mb/s@50ms",
        b"type=vif,mtu=1400,vifname=x,ip=1.2.3.4",
        b"0-3,^2,node:1",
    ),
    *(b"0x1f", b"2G", b"/tmp/x?xen=4.17&gic=v2&memory=8G"),
]


# Kernels and device trees.


class KernelFile:
    """A file that gets each input in turn."""

    def __init__(self) -> None:
        self.path = os.path.join(mkdtemp(prefix="xenvm-fuzz-"), "kernel")

    def __call__(self, data: bytes) -> None:
        with open(self.path, "wb") as file:
            file.write(data)
        kernel = open_kernel(self.path)
        self.place(kernel)
        if kernel.size <= 1 << 20:
            into = bytearray(kernel.size)
            with kernel.open() as reader, memoryview(into) as view:
                for start in range(0, kernel.size, 5000):
                    reader.read_into(view[start : start + 5000])

    def place(self, kernel: Kernel) -> None:
        """Where it can be placed, all lies in RAM."""
        try:
            placed = layout.place(layout.banks_for(KiB(1 << 20)), kernel.region, 5000, 5000)
        except ConfigError:
            return
        ram = placed.banks[0]
        assert placed.initrd and ram.start <= kernel.load < kernel.region.end <= placed.initrd.start
        assert placed.initrd.end <= placed.dtb <= ram.end - 5000


_ARM64 = bytes(8) + (1 << 21).to_bytes(8, "little") * 2 + bytes(32) + b"ARM\x64" + bytes(4) + b"x" * 100
_ZIMAGE = bytes(0x24) + b"\x18\x28\x6f\x01" + bytes(4) + (4096).to_bytes(4, "little") + b"z" * 100
KERNELS = [
    _ARM64,
    b"\x08\0\0\x14" + _ARM64[4:],
    _ZIMAGE,
    gzip.compress(_ARM64, mtime=0),
    gzip.compress(_ZIMAGE, mtime=0),
]


def device_tree(data: bytes) -> None:
    """The strict reader; what it takes can be printed and compared."""
    tree = fdtblob.read(data)
    assert fdtblob.to_dts(tree).startswith("/dts-v1/;")
    assert fdtblob.semantic(tree) == fdtblob.semantic(data)


def booted_tree(data: bytes) -> None:
    """The simulated kernel's reader."""
    read_tree(data[: tree_size(data[:40].ljust(40, b"\0"))])


_TREE_AT, _PC = 0x40000000 + (16 << 20), 0x40000000


class _Machine:
    """RAM with a kernel and a device tree, as a simulated kernel's side."""

    domid = 1

    def __init__(self, tree: bytes) -> None:
        self._tree = tree

    def entry(self) -> VcpuContext:
        return VcpuContext(pc=_PC, dtb=_TREE_AT, bits=64)

    def read(self, gpa: int, size: int) -> bytes:
        if size > 1 << 22 or not _PC <= gpa < 1 << 40:
            raise HypercallError("access", 14, domid=1)
        if gpa >= _TREE_AT:
            return self._tree[gpa - _TREE_AT : gpa - _TREE_AT + size].ljust(size, b"\0")
        return (b"\x08\0\0\x14" + bytes(60)).ljust(size, b"\0")[:size]


def boot(data: bytes) -> None:
    """A kernel boots, or panics."""
    list(boot_log(look_around(_Machine(data))))  # type: ignore[arg-type]


def _our_trees() -> list[bytes]:
    """What a kernel really finds in guest memory."""
    found = []
    for gic, settings in (("v2", {"vcpus": 1}), ("v3", {"vcpus": 4, "maxvcpus": 8, "vuart": "sbsa_uart"})):
        host = XenHost(mkdtemp(prefix="xenvm-fuzz-"), gic=gic)
        side = host.world.guest_side(host.create(paused=True, extra="console=hvc0", **settings).domid)
        at = side.entry().dtb
        found.append(side.read(at, tree_size(side.read(at, 40))))
        host.close()
    return found


TREES = [*_our_trees(), GOOD]


# The store.


def codec(data: bytes) -> None:
    """A client's decoder, fed in two pieces, gives what it gives when fed at once."""
    decoder, again = wire.Decoder(), wire.Decoder()
    middle = len(data) // 2
    packets = decoder.feed(data)
    assert again.feed(data[:middle]) + again.feed(data[middle:]) == packets
    for op, req_id, tx_id, payload in packets:
        assert wire.op_name(op) and wire.error_name(payload)
        assert wire.join_strings(wire.split_strings(payload)).removesuffix(b"\0") == payload.removesuffix(b"\0")
        assert wire.Decoder().feed(wire.pack(op, req_id, tx_id, payload)) == [(op, req_id, tx_id, payload)]


class Served:
    """An engine that takes everything as domain 0 and as a guest, and stays in order."""

    def __init__(self) -> None:
        self._turn = 0
        self._fresh()

    def _fresh(self) -> None:
        self._now = 0.0
        self._engine = Engine(clock=lambda: self._now)
        self._engine.introduce(5, 1, 1)
        self._dom0, self._guest = self._engine.connect(0), self._engine.connect(5)

    def __call__(self, data: bytes) -> None:
        self._turn, self._now = self._turn + 1, self._now + 1
        if self._turn % 100 == 0:
            self._fresh()
        if not self._engine.domains.introduced(5):
            self._engine.introduce(5, 1, 1)
        self._dom0 = self._feed(self._dom0, 0, data)
        self._guest = self._feed(self._guest, 5, data)

    def _feed(self, client: Connection, domid: int, data: bytes) -> Connection:
        if client.closed:
            client = self._engine.connect(domid)
        client.feed(data)
        for _ in range(100):
            self._now += 1  # a guest that is slowed down goes on later
            self._engine.expire()
            if not client.pending:
                break
            for op, _req, _tx, payload in wire.Decoder().feed(client.take()):
                assert len(payload) <= wire.PAYLOAD_MAX
                assert op != wire.ERROR or payload[:-1].decode() in wire.ERROR_NAMES
        return client


_ASK = wire.pack
PACKETS = [
    _ASK(wire.WRITE, 1, 0, b"/a/b\0value") + _ASK(wire.READ, 2, 0, b"/a/b\0") + _ASK(wire.DIRECTORY, 3, 0, b"/a\0"),
    _ASK(wire.WATCH, 1, 0, b"/a\0token\0") + _ASK(wire.SET_PERMS, 2, 0, b"/a\0n0\0r5\0") + _ASK(wire.RM, 3, 0, b"/a\0"),
    _ASK(wire.TRANSACTION_START, 1, 0, b"\0")
    + _ASK(wire.MKDIR, 2, 1, b"x\0")
    + _ASK(wire.TRANSACTION_END, 3, 1, b"T\0"),
    _ASK(wire.DIRECTORY_PART, 1, 0, b"/\0" + b"0\0")
    + _ASK(wire.CONTROL, 2, 0, b"help\0")
    + _ASK(wire.RESET_WATCHES, 3, 0, b"\0"),
    _ASK(wire.SET_TARGET, 1, 0, b"5\0" + b"6\0") + _ASK(wire.INTRODUCE, 2, 0, b"6\0" + b"1\0" + b"1\0"),
    _ASK(wire.GET_QUOTA, 1, 0, b"5\0nodes\0")
    + _ASK(wire.SET_FEATURE, 2, 0, b"5\0" + b"1\0")
    + _ASK(wire.WRITE, 3, 7, b"\0"),
]


def values(data: bytes) -> None:
    """Whatever a guest writes into a node."""
    text = data.decode("latin-1")
    for read in (parse.parse_decimal, parse.parse_bool, parse.parse_flag, parse.parse_word, parse.parse_text):
        assert read(data) == read(text)
    for other in (parse.parse_device, parse.parse_domid, parse.parse_state, parse.parse_mac, parse.shown):
        assert other(data) == other(text)
    assert len(parse.shown(data)) <= 6 * parse.SHOWN_MAX + 5
    below = parse.parse_path_under(data, "/local/domain/5")
    assert below is None or (below.startswith("/local/domain/5/") and "//" not in below)
    assert unescape(escape(data)) == data
    for name in ("state", "ring-ref", "mac", "params", "x"):
        path = f"/local/domain/5/device/vbd/51712/{name}"
        meaning(path, data)
        state_of(path, data)
    unescape(data.decode("utf-8", "surrogateescape"))
    parse_perms(data.decode("utf-8", "surrogateescape"))


VALUES = [b"4", b"51712", b"00:16:3e:11:22:33", b"fd:3", b"/local/domain/5/device/vbd/51712", b"n0,r5,b6", b"\\x41\\n"]


def ring(data: bytes) -> None:
    """A page that the other end has written: the store's, a disk's, a console's."""
    page = memoryview(bytearray(data[:4096].ljust(4096, b"\0")))
    engine = Engine(clock=lambda: 0.0)
    engine.introduce(5, 1, 1)
    end = ServerEnd(memoryview(bytearray(page)), lambda: engine.connect(5))
    store_page = memoryview(end._words).cast("B")  # the indexes are cleared by the server: the guest writes them again
    store_page[:] = page
    for _ in range(100):
        if not end.step():
            break
    else:
        raise AssertionError("the store's ring never comes to rest")
    refused: Exception | None = None
    for read in (_requests, _responses, _bytes):
        try:
            read(memoryview(bytearray(page)))
        except RingError as error:
            refused = error
    if refused:
        raise refused


def _requests(page: memoryview) -> None:
    back = BackRing(page, blkif.SLOT_SIZE)
    for taken, request in enumerate(back.requests()):
        assert taken < back.size
        _messages(request)
    back.close()


def _responses(page: memoryview) -> None:
    front = FrontRing(page, netif.RX_SLOT_SIZE, fresh=False)
    assert len(list(front.responses(netif.RX_RESPONSE_SIZE))) <= front.size
    front.close()


def _bytes(page: memoryview) -> None:
    for where in (STORE_REQUESTS, STORE_REPLIES):
        assert len(ByteReader(page, where).read()) <= 1024
        assert ByteWriter(page, where).write(b"x" * 3000) <= 1024


def _messages(slot: bytes) -> None:
    """Each kind of request and response, out of the same bytes."""
    blkif.request_id(slot)
    netif.has_more_extras(slot)
    for read in (blkif.parse_request, blkif.parse_response, netif.parse_rx_request, netif.parse_rx_response):
        try:
            read(slot)
        except RingError:
            pass
    pieces = [netif.parse_tx_request(slot[at : at + 12]) for at in (0, 12, 24)]
    netif.frame_pieces(pieces)


RINGS = [
    bytes(4096),
    (5).to_bytes(4, "little") + (1).to_bytes(4, "little") + bytes(56) + bytes(range(256)) * 15 + bytes(192),
    PACKETS[0].ljust(2052, b"\0") + len(PACKETS[0]).to_bytes(4, "little") + bytes(2040),
]


class JournalFile:
    """A server's state, as a crash, a full disk or a bad one leaves it."""

    def __init__(self) -> None:
        self.path = os.path.join(mkdtemp(prefix="xenvm-fuzz-"), "state")

    def __call__(self, data: bytes) -> None:
        with open(self.path, "wb") as file:
            file.write(data)
        engine = Engine(clock=lambda: 0.0)
        journal = Journal(self.path, engine)
        try:
            journal.load()
        finally:
            journal.close()
        assert list(engine.records())


JOURNALS = [
    MAGIC
    + record([(b"/", b"", b"n0\0"), (b"/tool", b"", b"n0\0"), (b"/tool/xenstored", b"", b"n0\0")])
    + record([(b"/a", b"1", b"n0\0r5\0"), (b"/a/b", b"\xff\0", b"n5\0")])
    + record([(b"/a/b", None, b""), (b"@releaseDomain", b"", b"n0\0")])
]


def _journal(dice: Random) -> bytes:
    """Records with good checksums, of entries at random."""
    paths = (b"/", b"/a", b"/a/b", b"/tool", b"x", b"", b"/a//b", b"@releaseDomain", b"/\xff")
    entries = [
        (dice.choice(paths), dice.choice((None, b"", b"v")), dice.choice((b"n0\0", b"n5\0r6\0", b"n0\0b5\0")))
        for _ in range(dice.randrange(5))
    ]
    return JOURNALS[0] + record((path, value, b"" if value is None else perms) for path, value, perms in entries)


def _targets() -> dict[str, Target]:
    return {
        target.name: target
        for target in (
            Target("configuration", config, (ConfigError,), CONFIGS, grammar.config),
            Target("strings", texts, (ConfigError, HostError), WORDS, grammar.words),
            Target("kernel", KernelFile(), (ImageError,), KERNELS, grammar.kernel),
            Target("device-tree", device_tree, (ImageError,), TREES, grammar.tree),
            Target("booted-tree", booted_tree, (ValueError,), TREES, grammar.tree),
            Target("boot", boot, (Panic,), TREES, grammar.tree),
            Target("packets-client", codec, (wire.PacketError,), PACKETS, grammar.packets),
            Target("packets-server", Served(), (), PACKETS, grammar.packets),
            Target("values", values, (InvalidValue,), VALUES, grammar.value),
            Target("rings", ring, (RingError,), RINGS, grammar.page),
            Target("journal", JournalFile(), (ServerError,), JOURNALS, _journal),
        )
    }


TARGETS = _targets()
