"""Creations on the simulated host: in this process, in an empty world and among a thousand guests; and as commands."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.targets import Target, at_most, ratio
from tests.support.guestconfig import config_text
from xenvm.guest.load import load_text
from xenvm.host.sim.host import SimHost
from xenvm.host.sim.machine import Machine
from xenvm.host.sim.world import World
from xenvm.ops.create import create
from xenvm.ops.destroy import destroy
from xenvm.types import Domid

TOP = Path(__file__).resolve().parents[1]
KERNEL_SIZE = 16 << 20
GUESTS = 1000
ROUNDS = 100
COMMANDS = 15
CREATE_MS, CREATE_GROWTH, COLD_S, HELP = 6.0, 1.2, 0.6, 3.0


def kernel(path: Path) -> None:
    """An arm64 Image of the size that is measured, of bytes that are not all the same."""
    head = bytearray(64)
    head[0:4], head[16:24], head[56:60] = b"\x08\x00\x00\x14", KERNEL_SIZE.to_bytes(8, "little"), b"ARM\x64"
    path.write_bytes(bytes(head) + os.urandom(KERNEL_SIZE - 64))


class Crowd:
    """A world in memory, with as many guests as were created in it: console, vbd and vif each."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.count = folder, 0
        self.world = World(Machine(memory=1 << 20), files=lambda: str(folder / "world"))
        self.host = SimHost(self.world)

    def create(self) -> tuple[Domid, float]:
        """One guest more, and the processor's seconds for it; then all of them are let boot, untimed."""
        spec = load_text(self._config(), "guest.cfg")[0]
        start = time.process_time()  # of all threads: no less than what the clock shows on a processor of one's own
        domid = create(self.host, spec)
        seconds = time.process_time() - start
        self.world.settle()
        return domid, seconds

    def passing(self) -> float:
        """The same with a guest that is destroyed again."""
        domid, seconds = self.create()
        info = self.host.hyper.domain(domid)
        assert info is not None
        destroy(self.host, domid, info.uuid)
        self.world.advance(100)  # its domid may be used again
        return seconds

    def _config(self) -> str:
        self.count += 1
        disk = self.folder / f"disk-{self.count % (2 * GUESTS)}.img"
        if not disk.exists():
            disk.touch()
            os.truncate(disk, 1 << 20)
        mac = f"00:16:3e:{self.count >> 16 & 255:02x}:{self.count >> 8 & 255:02x}:{self.count & 255:02x}"
        uuid = f"11111111-2222-3333-4444-{self.count:012d}"
        settings = {"name": f"g{self.count}", "uuid": uuid, "vif": [f"mac={mac},bridge=xenbr0"]}
        return config_text(str(self.folder / "Image"), None, str(disk), settings)


def in_process(folder: Path) -> Iterator[Target]:
    """The median creation, and that of the thousandth guest."""
    kernel(folder / "Image")
    time.sleep(1)  # an image that has just changed is not shared by guests
    worlds = [Crowd(folder / name) for name in ("few", "many")]
    for world in worlds:
        world.folder.mkdir()
        (world.folder / "Image").symlink_to(folder / "Image")
    few, many = worlds
    while many.count < GUESTS - 1:
        many.create()
    few.create(), few.create()
    gc.collect()
    rounds = [(few.passing(), many.passing()) for _ in range(ROUNDS)]
    for world in worlds:
        world.world.close()
    yield at_most("simulated create in process, processor time", [first for first, _ in rounds], CREATE_MS)
    yield ratio("its 1,000th / its first", [last for _, last in rounds], [first for first, _ in rounds], CREATE_GROWTH)


def commands(folder: Path) -> Iterator[Target]:
    """`xenvm create` on a new simulated host, and `xenvm --help` beside an interpreter that does nothing."""
    kernel(folder / "Image")
    os.truncate(folder / "Image", KERNEL_SIZE)
    (folder / "disk.img").write_bytes(bytes(1 << 20))
    (folder / "guest.cfg").write_text(config_text(str(folder / "Image"), None, f"{folder}/disk.img", {}))
    world = folder / "cold"

    def cold() -> float:
        shutil.rmtree(world, ignore_errors=True)
        return _timed(["-m", "xenvm", "--host", f"sim:{world}", "create", "-q", str(folder / "guest.cfg")])

    rounds = [(cold(), _timed(["-m", "xenvm", "--help"]), _timed(["-c", "pass"])) for _ in range(COMMANDS + 1)][1:]
    yield at_most("xenvm create, cold", [seconds for seconds, _, _ in rounds], COLD_S, "s")
    shown, bare = [seconds for _, seconds, _ in rounds], [seconds for _, _, seconds in rounds]
    yield ratio("xenvm --help / python3 -c pass", shown, bare, HELP)


def _timed(words: list[str]) -> float:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, cwd=TOP, env=environment, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


PARTS: tuple[Callable[[Path], Iterator[Target]], ...] = (in_process, commands)
