"""A simulated host for tests of the toolstack: everything is real but the machine."""

from __future__ import annotations

from pathlib import Path

from tests.support.guestconfig import MAC as MAC
from tests.support.guestconfig import UUID as UUID
from tests.support.guestconfig import config_text
from xenvm.guest.load import load_text
from xenvm.guest.spec import GuestSpec
from xenvm.host.sim.host import SimHost
from xenvm.host.sim.machine import DEFAULT, Machine
from xenvm.host.sim.world import World
from xenvm.ops import create
from xenvm.ops.destroy import destroy
from xenvm.types import Domid


def arm64_image(size: int = 1 << 20) -> bytes:
    """A kernel with a good header (Linux' Documentation/arch/arm64/booting.rst), and bytes that can be told apart."""
    head = bytearray(64)
    head[0:4], head[16:24], head[56:60] = b"\x08\x00\x00\x14", size.to_bytes(8, "little"), b"ARM\x64"
    return bytes(head) + bytes(n % 251 for n in range(size - 64))


class SimWorld:
    """A world in memory, and a host over it."""

    def __init__(self, folder: Path, machine: Machine = DEFAULT) -> None:
        self.folder = folder
        self.world = World(machine, files=lambda: str(folder / "world"))
        self.host = SimHost(self.world)
        (folder / "Image").write_bytes(arm64_image())
        (folder / "disk.img").write_bytes(bytes(1 << 16))

    def config(self, **settings: object) -> str:
        """Text of a configuration: 64 MiB, one disk and one vif, changed by `settings`."""
        return config_text(str(self.folder / "Image"), None, f"{self.folder}/disk.img", settings)

    def spec(self, **settings: object) -> GuestSpec:
        """The same as a specification."""
        return load_text(self.config(**settings), "g.cfg")[0]

    def create(self, paused: bool = False, **settings: object) -> Domid:
        """Creates that guest."""
        return create.create(self.host, self.spec(**settings), create.Options(paused=paused))

    def destroy(self, domid: Domid) -> list[str]:
        """Ends a guest."""
        info = self.host.hyper.domain(domid)
        assert info is not None
        return destroy(self.host, domid, info.uuid)

    def read(self, path: str) -> str | None:
        """A node's value."""
        value = self.host.store.read_or_none(path)
        return None if value is None else value.decode()

    def traces(self) -> dict[str, object]:
        """Everything that a guest could leave behind."""
        hyper = self.world.hyper
        kept = [
            path for path, _value, _perms in self.world.xenstored.engine.records() if path not in (b"/vm", b"/libxl")
        ]
        return {
            "domains": sorted(hyper.all),
            "free pages": hyper.free_pages,
            "ports": hyper.channels.count(),
            "nodes": kept,
            "introduced": dict(self.world.xenstored.introduced),
            "loops": dict(self.world.plumbing.block.loops),
        }
