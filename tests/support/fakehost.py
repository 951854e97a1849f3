"""A whole host for tests of the toolstack: the fake hypervisor, the fake store, and the peers that live in it.

Only what needs root or a kernel's drivers is replaced; the real Host, store client and plumbing run on top.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.fakehyper import FakeHyper
from tests.support.fakenet import FakeLoops, FakeNet
from tests.support.fakestore import FakeStore
from tests.support.guestconfig import MAC as MAC
from tests.support.guestconfig import UUID as UUID
from tests.support.guestconfig import config_text
from xenbus import wire
from xenbus.perm import Perm
from xenvm.guest.load import load_text
from xenvm.guest.spec import GuestSpec
from xenvm.host.open import Host
from xenvm.host.plumbing import block, bridge, consolelog, domids, leftovers, locks, loop, userdata, vifscript, watching
from xenvm.host.xen.hypervisor import XenHypervisor
from xenvm.ops import background, create
from xenvm.types import Domid

BACKENDS = "/local/domain/0/backend"


class Clock:
    """The monotonic clock, with jumps."""

    def __init__(self) -> None:
        self.skipped = 0.0
        self.real = time.monotonic

    def __call__(self) -> float:
        return self.real() + self.skipped


class PeerStore(FakeStore):
    """The store with xenconsoled, blkback and netback behind it."""

    def __init__(self, folder: Path, net: FakeNet) -> None:
        self.net = net
        self.states: dict[str, str] = {"vbd": "2", "vif": "2"}
        """What a new back end of each kind says; empty: nothing."""
        self.closing = True
        """Whether back ends close when they are asked to."""
        self.console = True
        self.drivers = False
        """Whether guests have drivers: front ends that connect, and close when they are asked to."""
        super().__init__(folder)
        self.tree["/local/domain/0/name"] = b"Domain-0", (Perm(0),)
        for above in ("/local", "/local/domain", "/local/domain/0"):
            self.tree[above] = b"", (Perm(0),)
        self.on_write(f"{BACKENDS}/v??/*/*/state", self._back_end)

    def _back_end(self, path: str, value: bytes | None) -> None:
        kind, domid, devid = path.split("/")[5:8]
        interface = f"vif{domid}.{devid}" if kind == "vif" else ""
        if value == b"1" and self.states[kind]:
            self.put(path, self.states[kind])
            if interface:
                self.net.plug(interface)
        front = f"/local/domain/{domid}/device/{kind}/{devid}"
        if self.drivers and value in (b"2", b"5") and front in self.tree:
            self.put(f"{front}/state", "4" if value == b"2" else "6")
            self.put(path, "4" if value == b"2" else "6")
        elif value == b"5" and self.closing and front not in self.tree:
            self.put(path, "6")
        if interface and (value == b"6" or value is None):
            self.net.unplug(interface)

    def _notify(self, path: str, exact: bool = False) -> None:
        super()._notify(path, exact)
        if path == "@introduceDomain" and self.console:
            for domid in self.introduced:
                if f"/local/domain/{domid}/console/ring-ref" in self.tree:
                    self.put(f"/local/domain/{domid}/console/tty", f"/dev/pts/{domid}")

    def forget(self, domid: Domid) -> None:
        """A domain shut down or died."""
        self.introduced.pop(domid, None)
        self.fire("@releaseDomain")


class FakeHost:
    """Everything at once; `host` is what the toolstack gets."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.patch = folder, patch
        (folder / "userdata").mkdir()
        self.clock, self.net, self.loops, self.hyper = Clock(), FakeNet(), FakeLoops(), FakeHyper()
        self.store = PeerStore(folder, self.net)
        self.hyper.on_death = self.store.forget
        self._patch()
        self.host = Host()
        self.kernel, self.ramdisk = self.file("Image", image(5000)), self.file("initrd.gz", b"r" * 3000)

    def _patch(self) -> None:
        to = self.patch.setattr
        to("time.monotonic", self.clock)
        to("xenbus.link.monotonic", self.clock)
        self.patch.setenv("XENVM_HOST", "xen")
        self.patch.setenv("XENSTORED_PATH", self.store.path)
        to(XenHypervisor, "open", lambda: self.hyper)
        to(bridge, "Netlink", self.net)
        for name in ("_HOOKS", "_FILTER_ALL", "_FILTER_ONE"):
            to(vifscript, name, str(self.folder / name))
        for name in ("attach", "detach", "backed_by", "own"):
            to(loop, name, getattr(self.loops, name))
        # A lock that this very process holds would be waited for without end: better an error.
        to(block, "FileLock", lambda path: locks.FileLock(path, wait=False))
        to(locks.host_lock, "__defaults__", (str(self.folder / "xl"),))
        to(block.lock, "__defaults__", (str(self.folder / "block"),))
        to(block.detach, "__defaults__", (str(self.folder / "block"),))
        to(userdata.UserData.__init__, "__defaults__", (str(self.folder / "userdata"),))
        to(leftovers.data_files, "__defaults__", (str(self.folder / "userdata"),))
        places = [("userdata", "userdata-l."), (".", "domid-history.lock"), (".", "block")]
        places = [(str(self.folder / folder), begin) for folder, begin in places]
        to(leftovers.lock_files, "__defaults__", (places, "/proc/locks"))
        to(leftovers.interfaces, "__defaults__", (str(self.folder / "net"),))
        for kept in (
            watching.Duty.__init__,
            *(getattr(watching, name) for name in ("on_duty", "note", "notes", "forget")),
        ):
            to(kept, "__defaults__", (str(self.folder / "run"),))
        for logged in (consolelog.begin, consolelog.capture, consolelog.find):
            to(logged, "__defaults__", (str(self.folder / "console"),))
        to(background, "LOG_FOLDER", str(self.folder / "log"))
        for function in (domids.recent, domids.remember):
            to(function, "__defaults__", (str(self.folder), self.clock.real))

    def file(self, name: str, data: bytes = b"") -> str:
        """A file of this host; its path."""
        path = self.folder / name
        path.write_bytes(data)
        return str(path)

    def script(self, name: str, text: str) -> str:
        """A program of this host; its path."""
        path = self.file(name, f"#!/bin/sh\n{text}\n".encode())
        os.chmod(path, 0o755)
        return path

    def config(self, **settings: object) -> str:
        """Text of a configuration: a guest of 64 MiB with one disk and one vif, changed by `settings`."""
        disk = self.folder / "disk.img"
        if not disk.exists():
            disk.write_bytes(bytes(512))
        return config_text(self.kernel, self.ramdisk, str(disk), settings)

    def spec(self, **settings: object) -> GuestSpec:
        """The same as a specification."""
        return load_text(self.config(**settings), "g.cfg")[0]

    def create(self, paused: bool = False, **settings: object) -> Domid:
        """Creates that guest."""
        return create.create(self.host, self.spec(**settings), create.Options(paused=paused))

    def mute(self, k: int) -> None:
        """Request number `k` is never answered, and its time-out comes at once."""

        def silence(_packet: wire.Packet) -> bytes:
            self.clock.skipped += 1000
            return wire.pack(wire.WATCH_EVENT, 0, 0, b"nobody\0asked\0")  # wakes who waits

        self.store.inject(k, silence)

    def traces(self) -> dict[str, object]:
        """Everything that a guest could leave behind."""
        empty = [f"{top} = b''" for top in ("/vm", "/libxl") if not self.store.children(top)]
        nodes = [line for line in self.store.dump().splitlines() if not line.startswith(tuple(empty))]
        files = sorted(name for name in os.listdir(self.folder) if name.startswith("block"))
        files += sorted(os.listdir(self.folder / "userdata"))
        introduced = sorted(self.store.introduced)
        links = sorted(self.net.by_name)
        return self.hyper.leaks() | {
            "nodes": nodes,
            "files": files,
            "introduced": introduced,
            "links": links,
            "loops": dict(self.loops.files),
        }

    def close(self) -> None:
        self.host.close()
        self.store.close()


@contextmanager
def fake_host(folder: Path) -> Iterator[FakeHost]:
    """A fresh host."""
    with pytest.MonkeyPatch.context() as patch:
        host = FakeHost(folder, patch)
        try:
            yield host
        finally:
            host.close()


def image(size: int, *, load: int = 0) -> bytes:
    """An arm64 kernel of sorts: the header, and bytes that can be told apart."""
    head = bytearray(64)
    head[8:16], head[56:60] = load.to_bytes(8, "little"), b"ARM\x64"
    return bytes(head) + bytes(n % 251 for n in range(size - 64))
