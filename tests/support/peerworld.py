"""A simulated host with its usual peers, and guests that the toolstack itself has made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.fakehost import image
from xenvm.guest.load import load_text
from xenvm.host.back import BackDriver, GuestBackend
from xenvm.host.sim.host import SimHost
from xenvm.host.sim.kernel import Kernel
from xenvm.host.sim.world import World
from xenvm.ops.create import create
from xenvm.types import Domid


class PeerWorld:
    """A world in memory; files lie in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = folder / "files"
        self.files.mkdir()
        self.world = World(files=lambda: str(self.files))
        self.host = SimHost(self.world)
        (folder / "Image").write_bytes(image(5000))
        (folder / "initrd").write_bytes(b"r" * 3000)

    def create(self, name: str = "g", *, disks: int = 0, vifs: int = 0, **settings: object) -> Domid:
        """A guest that runs; its disks are `disk(name, n)`."""
        values: dict[str, object] = {
            "name": name,
            "kernel": str(self.folder / "Image"),
            "ramdisk": str(self.folder / "initrd"),
            "memory": 64,
            "vcpus": 2,
            "disk": [self._disk(name, n) for n in range(disks)],
            "vif": [f"mac=00:16:3e:00:00:{ord(name[0]):02x},bridge=xenbr0"] * vifs,
            **settings,
        }
        text = "".join(f"{key} = {value!r}\n" for key, value in values.items())
        domid = create(self.host, load_text(text)[0])
        self.world.settle()
        return domid

    def disk(self, name: str, number: int = 0) -> Path:
        """The image file of a disk."""
        return self.folder / f"{name}-{number}.img"

    def _disk(self, name: str, number: int) -> str:
        if not self.disk(name, number).exists():
            self.disk(name, number).write_bytes(bytes(1 << 20))
        return f"{self.disk(name, number)},raw,xvd{'abcdef'[number]},w"

    def kernel(self, domid: Domid) -> Kernel:
        """The kernel of a guest."""
        kernel = self.world.kernels[domid]
        assert isinstance(kernel, Kernel)
        return kernel

    def read(self, path: str) -> bytes | None:
        """A node of the store."""
        return self.world.store.read_or_none(path)

    def write(self, path: str, value: str) -> None:
        """Writes a node as the toolstack, and lets everybody act on it."""
        self.world.store.write(path, value)
        self.world.settle()

    def log(self, name: str) -> str:
        """All that a guest has printed."""
        return (self.files / "console" / f"guest-{name}.log").read_text()

    def code(self, domid: Domid) -> int | None:
        """How a domain has ended, None while it has not."""
        info = self.world.hyper.domain(domid)
        return None if info is None else info.shutdown_code


@contextmanager
def served(folder: Path, kind: str, end: type[GuestBackend]) -> Iterator[PeerWorld]:
    """A world with one more driver in its domain 0: of back ends of `kind`, each of which is an `end`."""
    made = PeerWorld(folder)
    made.world.services.append(BackDriver(kind, made.world.peer_client(), made.world.back_side(), end.probe))
    yield made
    made.world.close()
