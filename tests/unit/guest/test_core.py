"""The format of a core, read by an ELF reader that knows nothing of the writer."""

from __future__ import annotations

from struct import pack, unpack_from

from xenvm.guest.core import EM_AARCH64, Core, XenTexts

TEXTS = XenTexts((4, 20), ".1", ("gcc", "me", "here", "now"), "xen-3.0-aarch64 ", "abc", 0xA0000000000)
CORE = Core(EM_AARCH64, TEXTS, (b"\1" * 352, b"\2" * 352))
PAGES = {0x39000: b"r" * 4096, 0x40000: b"k" * 4096, 0x40005: b"x" * 4096}


def sections(data: bytes) -> dict[str, tuple[int, bytes, int, int]]:
    """Type, content, alignment and size of an entry, by name (ELF-64 of the System V ABI)."""
    assert data[:7] == b"\x7fELF\x02\x01\x01"
    kind, machine, version, _, phoff, shoff, _, ehsize, _, phnum, shentsize, shnum, shstrndx = unpack_from(
        "<HHIQQQIHHHHHH", data, 16
    )
    assert (kind, machine, version, phoff, phnum, ehsize, shentsize) == (4, 183, 1, 0, 0, 64, 64)
    headers = [unpack_from("<IIQQQQIIQQ", data, shoff + 64 * n) for n in range(shnum)]
    names = data[headers[shstrndx][4] :][: headers[shstrndx][5]]
    found = {}
    for name, what, _, _, at, size, _, _, align, each in headers[1:]:
        assert at + size <= len(data) and (not align or at % align == 0)
        found[names[name:].split(b"\0")[0].decode()] = what, data[at : at + size], align, each
    assert headers[0] == (0,) * 10
    return found


def test_sections() -> None:
    data = CORE.head(len(PAGES)) + b"".join(PAGES.values()) + CORE.tail(pack("<3Q", *PAGES))
    found = sections(data)
    assert list(found) == [".shstrtab", ".note.Xen", ".xen_prstatus", ".xen_pages", ".xen_pfn"]
    assert found[".xen_prstatus"] == (1, b"\1" * 352 + b"\2" * 352, 8, 352)
    assert found[".xen_pages"] == (1, b"".join(PAGES.values()), 4096, 4096)
    assert unpack_from("<3Q", found[".xen_pfn"][1]) == tuple(PAGES)
    assert CORE.pages_at % 4096 == 0


def test_notes() -> None:
    notes = sections(CORE.head(0) + CORE.tail(b""))[".note.Xen"][1]
    found = {}
    while notes:
        namesz, size, kind, name = unpack_from("<III4s", notes)
        assert (namesz, name) == (4, b"Xen\0")
        found[kind], notes = notes[16 : 16 + size], notes[16 + size :]
    assert list(found) == [0x2000000, 0x2000001, 0x2000002, 0x2000003]
    assert unpack_from("<4Q", found[0x2000001]) == (0xF00FEBEE, 2, 0, 4096)
    version = found[0x2000002]
    assert len(version) == 1280 and unpack_from("<QQ16s", version) == (4, 20, b".1".ljust(16, b"\0"))
    assert version[176:192] == b"xen-3.0-aarch64 " and unpack_from("<QQ", version, 1264) == (0xA0000000000, 4096)
    assert found[0x2000003] == (1).to_bytes(8, "little")


def test_a_guest_that_never_ran() -> None:
    assert sections(Core(EM_AARCH64, TEXTS, ()).head(0) + CORE.tail(b""))[".xen_prstatus"] == (1, b"", 8, 0)
