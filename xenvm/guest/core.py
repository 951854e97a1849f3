"""The file format of a guest's core: ELF with sections for pages, frame numbers and registers.

Follows docs/misc/dump-core-format.txt of Xen, format version 0.1, and its order of sections (tools: xc_core.c).
"""

from __future__ import annotations

from struct import pack

from xenbus.value import Value
from xenvm.types import PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    Section = tuple[str, int, int, int, int, int]

EM_ARM, EM_AARCH64 = 40, 183
_MAGIC = 0xF00FEBEE
"""Of a guest with translated memory, as all are on ARM."""
_ET_CORE, _SHT_PROGBITS, _SHT_STRTAB, _SHT_NOTE = 4, 1, 3, 7
_HEADER, _SECTION = 64, 64
_NONE, _CORE_HEADER, _XEN_VERSION, _FORMAT_VERSION = range(0x2000000, 0x2000004)
_VERSION_0_1 = 1
_NAMES = (".shstrtab", ".note.Xen", ".xen_prstatus", ".xen_pages", ".xen_pfn")


class XenTexts(Value):
    """What Xen tells of itself (xen_version)."""

    release: tuple[int, int]
    extra: str
    compile_info: tuple[str, str, str, str]
    """Compiler, by whom, on which domain, when."""
    capabilities: str
    changeset: str
    virt_start: int


class Core(Value):
    """A core with `registers` of each vCPU, all of the same size; its pages begin at `pages_at` in the file."""

    machine: int
    """EM_ARM or EM_AARCH64."""
    texts: XenTexts
    registers: tuple[bytes, ...]

    @property
    def pages_at(self) -> int:
        """Where the first page lies."""
        notes = len(_notes(self, 0))
        end = _HEADER + _SECTION * (len(_NAMES) + 1) + notes + sum(map(len, self.registers))
        return -(-end // PAGE_SIZE) * PAGE_SIZE

    def head(self, pages: int) -> bytes:
        """The file up to its pages."""
        notes, registers = _notes(self, pages), b"".join(self.registers)
        notes_at = _HEADER + _SECTION * (len(_NAMES) + 1)
        frames_at = self.pages_at + pages * PAGE_SIZE
        each = len(self.registers[0]) if self.registers else 0
        sections: list[Section] = [
            (".shstrtab", _SHT_STRTAB, frames_at + 8 * pages, len(_strings()), 0, 0),
            (".note.Xen", _SHT_NOTE, notes_at, len(notes), 0, 0),
            (".xen_prstatus", _SHT_PROGBITS, notes_at + len(notes), len(registers), 8, each),
            (".xen_pages", _SHT_PROGBITS, self.pages_at, pages * PAGE_SIZE, PAGE_SIZE, PAGE_SIZE),
            (".xen_pfn", _SHT_PROGBITS, frames_at, 8 * pages, 8, 8),
        ]
        head = _elf_header(self.machine) + bytes(_SECTION) + b"".join(map(_section, sections)) + notes + registers
        return head.ljust(self.pages_at, b"\0")

    def tail(self, frames: bytes) -> bytes:
        """The file behind its pages: their frame numbers, ascending, 64 bits each, and the names of the sections."""
        return frames + _strings()


def _elf_header(machine: int) -> bytes:
    """Sections right behind it; no program headers."""
    ident = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    sizes = (_HEADER, 0, 0, _SECTION, len(_NAMES) + 1, 1)
    return ident + pack("<HHIQQQI6H", _ET_CORE, machine, 1, 0, 0, _HEADER, 0, *sizes)


def _section(section: Section) -> bytes:
    name, kind, at, size, alignment, each = section
    return pack("<IIQQQQIIQQ", _strings().index(name.encode()), kind, 0, 0, at, size, 0, 0, alignment, each)


def _strings() -> bytes:
    return b"\0" + b"".join(name.encode() + b"\0" for name in _NAMES)


def _notes(core: Core, pages: int) -> bytes:
    texts = core.texts
    version = pack("<QQ16s", *texts.release, texts.extra.encode())
    version += pack("<64s16s32s32s", *(text.encode() for text in texts.compile_info))
    version += pack("<1024s64sQQ", texts.capabilities.encode(), texts.changeset.encode(), texts.virt_start, PAGE_SIZE)
    notes = (
        (_NONE, b""),
        (_CORE_HEADER, pack("<QQQQ", _MAGIC, len(core.registers), pages, PAGE_SIZE)),
        (_XEN_VERSION, version),
        (_FORMAT_VERSION, pack("<Q", _VERSION_0_1)),
    )
    return b"".join(pack("<III4s", 4, len(body), kind, b"Xen") + body for kind, body in notes)
