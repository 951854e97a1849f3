"""libvirt's own converter between xl.cfg and XML, as an oracle: Debian bookworm's libxl driver, without Xen or daemon.

``python -m tests.support.libvirt_xl`` unpacks the packages in the user's cache; ``convert`` runs it in a process
of its own, as the driver is no library and may end the process it is loaded into.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.debs import CACHES, unpack

CACHE = CACHES / "libvirt-9.0"
ROOT = CACHE / "root"
PACKAGES = (
    *("libvirt-daemon-driver-xen", "libvirt-daemon", "libvirt0", "libxenmisc4.17", "libxenstore4", "libxentoollog1"),
    *("libxencall1", "libxenevtchn1", "libxenforeignmemory1", "libxengnttab1", "libxendevicemodel1"),
    *("libxentoolcore1", "libxenhypfs1", "libyajl2", "libfdt1"),
)
_MOST = 1 << 16
_TOP = Path(__file__).resolve().parents[2]


def _driver() -> Path | None:
    return next(ROOT.glob("usr/lib/*/libvirt/connection-driver/libvirt_driver_libxl.so"), None)


def missing() -> str:
    """Why the converter cannot run here; empty when it can."""
    if _driver() is None:
        return "Debian's libxl driver of libvirt is not unpacked: run python -m tests.support.libvirt_xl on bookworm"
    probe = subprocess.run(_command("cfg"), input=b'name = "a"\n', env=_environment(), cwd=_TOP, capture_output=True)
    return "" if not probe.returncode else probe.stderr.decode().strip().splitlines()[-1]


def fetch() -> None:
    """Unpacks what is not there yet."""
    if _driver() is None:
        unpack(PACKAGES, CACHE)


def convert(text: str) -> str:
    """What libvirt makes of an xl.cfg, or of a domain's XML: the other one. ValueError with libvirt's words."""
    kind = "xml" if text.lstrip().startswith("<") else "cfg"
    done = subprocess.run(_command(kind), input=text.encode(), env=_environment(), cwd=_TOP, capture_output=True)
    if done.returncode:
        raise ValueError(done.stderr.decode())
    return done.stdout.decode()


def _command(kind: str) -> list[str]:
    return [sys.executable, "-m", "tests.support.libvirt_xl", kind]


def _environment() -> dict[str, str]:
    driver = _driver()
    assert driver is not None
    return {"LD_LIBRARY_PATH": str(driver.parents[2]), "PATH": os.environ["PATH"]}


class Converter:
    """The functions of libvirt that its own tests call; they are exported, but promised to nobody."""

    def __init__(self) -> None:
        self.libvirt = ctypes.CDLL("libvirt.so.0", mode=ctypes.RTLD_GLOBAL)
        self.driver = ctypes.CDLL(str(_driver()), mode=ctypes.RTLD_GLOBAL)
        self.libvirt.virInitialize()
        self.options = self._pointer("virDomainXMLOptionNew", None, None, None, None, None, None)

    def to_xml(self, text: bytes) -> bytes:
        """The XML of an xl.cfg."""
        conf = self._pointer("virConfReadString", text, 0)
        domain = self._pointer("xenParseXL", conf, self._capabilities(), self.options)
        self.libvirt.virDomainDefFormat.restype = ctypes.c_char_p
        made: bytes = self.libvirt.virDomainDefFormat(ctypes.c_void_p(domain), ctypes.c_void_p(self.options), 1)
        return made

    def to_cfg(self, text: bytes) -> bytes:
        """The xl.cfg of a domain's XML."""
        domain = self._pointer("virDomainDefParseString", text, self.options, None, 2)
        conf = self._pointer("xenFormatXL", domain, None)
        buffer, size = ctypes.create_string_buffer(_MOST), ctypes.c_int(_MOST)
        if self.libvirt.virConfWriteMem(buffer, ctypes.byref(size), ctypes.c_void_p(conf)) < 0:
            raise SystemExit(self._error())
        return buffer.value

    def _capabilities(self) -> int:
        """Those of a host on ARM, for each type of guest."""
        arm = self.libvirt.virArchFromString(b"aarch64")
        capabilities = self._pointer("virCapabilitiesNew", arm, False, False)
        xen = self.libvirt.virDomainVirtTypeFromString(b"xen")
        for kind in (b"xenpvh", b"linux", b"xen", b"hvm"):
            number = self.libvirt.virDomainOSTypeFromString(kind)
            guest = self._pointer("virCapabilitiesAddGuest", capabilities, number, arm, None, None, 0, None)
            self._pointer("virCapabilitiesAddGuestDomain", guest, xen, None, None, 0, None)
        return capabilities

    def _pointer(self, name: str, *arguments: Any) -> int:
        """Calls a function; what it returns is an address, and so is any large number that it is given."""
        function = getattr(self.driver if name.startswith("xen") else self.libvirt, name)
        function.restype = ctypes.c_void_p
        found = function(
            *(ctypes.c_void_p(one) if isinstance(one, int) and one > 1 << 16 else one for one in arguments)
        )
        if not found:
            raise SystemExit(self._error())
        return int(found)

    def _error(self) -> str:
        self.libvirt.virGetLastErrorMessage.restype = ctypes.c_char_p
        return str(self.libvirt.virGetLastErrorMessage().decode())


if __name__ == "__main__":
    if len(sys.argv) == 1:
        fetch()
    else:
        converter = Converter()
        data = sys.stdin.buffer.read()
        sys.stdout.buffer.write(converter.to_xml(data) if sys.argv[1] == "cfg" else converter.to_cfg(data))
