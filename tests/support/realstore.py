"""The real C xenstored on a private socket, without Xen, root or installation: the judge of our own server.

Debian's packages are unpacked in the user's cache (``python -m tests.support.realstore`` fetches them), and a shim
stands in for the hypervisor, see xenstored_shim.c. Guests talk to the daemon through the page of a ring, in a file.
"""

from __future__ import annotations

import mmap
import shutil
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

from tests.support.debs import CACHES, unpack

HERE = Path(__file__).resolve().parent
CACHE = CACHES / "xen-4.17"
ROOT = CACHE / "root"
PROGRAMS = ROOT / "usr/lib/xen-4.17/bin"
PACKAGES = (
    *("xen-utils-4.17", "libxenmisc4.17", "libxenevtchn1", "libxengnttab1", "libxencall1", "libxenforeignmemory1"),
    *("libxentoollog1", "libxendevicemodel1", "libxenstore4", "libxentoolcore1", "libxen-dev", "xenstore-utils"),
)
_VIRQ_PORT, _FIRST_PORT = 1, 100
"""As in the shim."""


def missing() -> str:
    """Why the real daemon cannot run here; empty when it can."""
    if not (PROGRAMS / "xenstored").exists() or not (ROOT / "usr/bin/xenstore-ls").exists():
        return "Debian's xenstored is not unpacked: run python -m tests.support.realstore on Debian bookworm"
    return "" if shutil.which("gcc") else "gcc, which compiles the shim, is not installed"


def fetch() -> Path:
    """Unpacks what is not there yet; the folder that the packages are unpacked in."""
    if "unpacked" in missing():
        unpack(PACKAGES, CACHE)
    return ROOT


def library_path() -> str:
    """LD_LIBRARY_PATH for programs of the packages."""
    return ":".join(sorted({str(path.parent) for path in ROOT.rglob("libxen*.so*")}))


def compile_shim(folder: Path) -> Path:
    """The shim, as a shared object in a folder."""
    shim = folder / "shim.so"
    flags = ["-O2", "-shared", "-fPIC", f"-I{ROOT}/usr/include"]
    subprocess.run(["gcc", *flags, "-o", shim, HERE / "xenstored_shim.c"], check=True)
    return shim


class RealStore:
    """A running daemon; `socket` is its address for clients. A context manager."""

    def __init__(self, folder: Path, shim: Path | None = None) -> None:
        self.folder, self.socket = folder, str(folder / "socket")
        (folder / "xsd_port").write_text("1")
        (folder / "xsd_kva").write_bytes(bytes(4096))
        environment = {
            "LD_PRELOAD": str(shim or compile_shim(folder)),
            "LD_LIBRARY_PATH": library_path(),
            "XENSTORED_SHIM": str(folder),
            "XENSTORED_RUNDIR": str(folder),
            "XENSTORED_ROOTDIR": str(folder),
        }
        argv = [PROGRAMS / "xenstored", "-N", "-F", folder / "pid"]
        with (folder / "errors").open("wb") as errors:
            self.process = subprocess.Popen(argv, env=environment, stderr=errors)
        while not self._answers():
            if self.process.poll() is not None:
                raise RuntimeError(f"xenstored ended with {self.process.returncode}")
            time.sleep(0.01)

    def __enter__(self) -> RealStore:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the daemon."""
        self.process.kill()
        self.process.wait()

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(self.socket) == 0

    # The hypervisor's part.

    def create(self, domid: int) -> mmap.mmap:
        """Makes a domain exist; the page of its ring."""
        path = self.folder / f"domain-{domid}"
        path.write_bytes(bytes(4096))
        with path.open("r+b") as file:
            return mmap.mmap(file.fileno(), 4096)

    def events(self, domid: int) -> socket.socket:
        """The guest's end of its event channel: a datagram for each notification by the daemon."""
        address = self.folder / f"guest-{domid}"
        address.unlink(missing_ok=True)
        end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        end.bind(str(address))
        return end

    def notify(self, domid: int) -> None:
        """An event from a guest."""
        self._event(_FIRST_PORT + domid)

    def shut_down(self, domid: int) -> None:
        """The domain has shut down, and is still there."""
        (self.folder / f"shutdown-{domid}").touch()
        self._event(_VIRQ_PORT)

    def destroy(self, domid: int) -> None:
        """The domain is no more."""
        (self.folder / f"domain-{domid}").unlink()
        (self.folder / f"shutdown-{domid}").unlink(missing_ok=True)
        self._event(_VIRQ_PORT)

    def _event(self, port: int) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(struct.pack("=I", port), str(self.folder / "events-0"))


if __name__ == "__main__":
    try:
        print(f"xenstored is in {fetch()}", file=sys.stderr)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"xenstored cannot be had here: {error}")
