"""What is fuzzed: each parser with its seeds, its grammar, and the only exceptions that it may raise."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from tests.fuzz import grammar, scratch, store
from tests.unit.guest.test_fdtblob import GOOD
from xenbus import wire
from xenbus.errors import InvalidValue, RingError
from xenbus.server.files import ServerError
from xenvm.errors import ConfigError, HostError, HypercallError, ImageError
from xenvm.guest import fdtblob, layout
from xenvm.guest.cpus import parse_affinity, parse_cpus
from xenvm.guest.disk import parse_disk, vdev_to_devid
from xenvm.guest.image import Kernel, open_kernel
from xenvm.guest.libxl_json import record as libxl_record
from xenvm.guest.load import examine, load_text
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
    found = examine(data, "f")[1]
    try:
        spec, warnings = load_text(data, "f")
    except ConfigError as error:
        assert str(error) and any(each.severity == "error" for each in found), "load_text refuses what examine accepts"
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
        self.path = os.path.join(scratch(), "kernel")

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
        host = XenHost(scratch(), gic=gic)
        side = host.world.guest_side(host.create(paused=True, extra="console=hvc0", **settings).domid)
        at = side.entry().dtb
        found.append(side.read(at, tree_size(side.read(at, 40))))
        host.close()
    return found


TREES = [*_our_trees(), GOOD]


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
            Target("packets-client", store.codec, (wire.PacketError,), store.PACKETS, grammar.packets),
            Target("packets-server", store.Served(), (), store.PACKETS, grammar.packets),
            Target("values", store.values, (InvalidValue,), store.VALUES, grammar.value),
            Target("rings", store.ring, (RingError,), store.RINGS, grammar.page),
            Target("journal", store.JournalFile(), (ServerError,), store.JOURNALS, store.journal),
        )
    }


TARGETS = _targets()
