"""A guest's memory and registers as a core file, with holes where its memory is zero.

xl's own dump-core looks for RAM where no ARM guest of today has it (xc_core_arm.c), so its cores hold next to nothing.
"""

from __future__ import annotations

import os
import stat
import time

from xenbus.parse import parse_decimal
from xenvm.errors import DomainError, HostError, HypercallError
from xenvm.guest.core import EM_AARCH64, EM_ARM, Core, XenTexts
from xenvm.guest.layout import MAGIC_GFNS, banks_for
from xenvm.ops import memo as memos
from xenvm.types import PAGE_SIZE, Gfn, KiB

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from xenvm.host.hyper import DomainInfo, Hypervisor
    from xenvm.host.open import Host
    from xenvm.types import Domid

FOLDER = "/var/lib/xen/dump"
_AT_ONCE = 1024
"""Pages: 4 MiB of domain 0 for a moment."""
_BLOCK = 1 << 16
_NOTHING = bytes(_BLOCK)


def usual_path(name: str, domid: Domid, folder: str = FOLDER) -> str:
    """Where the core of a guest that has just gone down lies: the time, its name and its domid, as xend had it."""
    os.makedirs(folder, 0o700, exist_ok=True)
    safe = name.replace("/", "_")
    return os.path.join(folder, f"{time.strftime('%Y-%m%d-%H%M.%S', time.gmtime())}-{safe}.{domid}.core")


def dump(host: Host, info: DomainInfo, path: str) -> int:
    """Writes the core of a guest, which is paused for it; how many pages it has. HostError, DomainError."""
    hyper = host.hyper
    if info.dying:
        raise DomainError(f"domain {info.domid} is dying: its memory cannot be read any more")
    hyper.pause(info.domid)
    try:
        return _write(hyper, info, _ranges(host, info), path)
    finally:
        try:
            hyper.unpause(info.domid)
        except HypercallError:
            pass  # Somebody has destroyed it meanwhile.


def _ranges(host: Host, info: DomainInfo) -> list[tuple[Gfn, int]]:
    """Where the guest can have RAM: the pages of its rings, and its banks."""
    memo = memos.read(host, info.domid, info.uuid)
    told = parse_decimal(host.store.read_or_none(f"/local/domain/{info.domid}/memory/static-max"))
    size = max(info.tot_pages * 4, told or 0, memo.spec.maxmem if memo else 0)
    banks = [(Gfn(bank.start // PAGE_SIZE), bank.size // PAGE_SIZE) for bank in banks_for(KiB(size))]
    return [(MAGIC_GFNS[0], len(MAGIC_GFNS)), *banks]


def _write(hyper: Hypervisor, info: DomainInfo, ranges: list[tuple[Gfn, int]], path: str) -> int:
    from array import array  # millions of numbers, 8 bytes each

    registers = (hyper.registers(info.domid, vcpu) for vcpu in range(info.max_vcpu_id + 1))
    machine = EM_AARCH64 if os.uname().machine in ("aarch64", "x86_64") else EM_ARM
    core = Core(machine, _texts(hyper), tuple(found for found in registers if found is not None))
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise HostError(f"{path}: a core can only be written to a plain file")
        try:
            os.fchmod(fd, 0o600)  # of a file that was there before, too
            frames = array("Q", _copy(hyper, info.domid, ranges, fd, core.pages_at))
            _put(fd, core.tail(frames.tobytes()), core.pages_at + len(frames) * PAGE_SIZE)
            _put(fd, core.head(len(frames)), 0)
        except BaseException:
            os.unlink(path)  # Half a core is none.
            raise
        finally:
            os.close(fd)
    except OSError as error:
        raise HostError(f"{path}: the core cannot be written: {error.strerror}") from error
    return len(frames)


def _copy(hyper: Hypervisor, domid: Domid, ranges: list[tuple[Gfn, int]], fd: int, at: int) -> Iterator[int]:
    """Writes all pages that are there, one behind the other from `at` on; gives their frame numbers."""
    for first, count in ranges:
        for start in range(first, first + count, _AT_ONCE):
            for gfn, data in hyper.read_ram(domid, Gfn(start), min(_AT_ONCE, first + count - start)):
                _put(fd, data, at)
                at += len(data)
                yield from range(gfn, gfn + len(data) // PAGE_SIZE)


def _put(fd: int, data: bytes, at: int) -> None:
    """Writes a piece; blocks without content are left out, and read as zeros."""
    for start in range(0, len(data), _BLOCK):
        block = data[start : start + _BLOCK]
        if block != _NOTHING[: len(block)]:
            done = 0
            while done < len(block):
                done += os.pwrite(fd, block[done:], at + start + done)


def _texts(hyper: Hypervisor) -> XenTexts:
    info, version = hyper.version_info(), hyper.version
    built = info.compiler, info.compile_by, info.compile_domain, info.compile_date
    return XenTexts(version.release, version.extra, built, info.capabilities, info.changeset, info.virt_start)
