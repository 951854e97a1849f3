"""A kernel for simulated guests: an arm64 Image by its header (Linux' Documentation/arch/arm64/booting.rst).

No instruction of a simulated guest is executed. On a real machine this one would sleep for ever: its first instruction
branches over the header, to a loop around ``wfi``.
"""

from __future__ import annotations

SIZE = 1 << 16
_HEADER = 64
_BRANCH_OVER_HEADER, _WFI, _BRANCH_BACK = 0x14000010, 0xD503207F, 0x17FFFFFF


def arm64_image(size: int = SIZE) -> bytes:
    """The file's content; `size` is both its length and what it needs in memory."""
    head = bytearray(_HEADER)
    head[0:4], head[16:24], head[56:60] = _word(_BRANCH_OVER_HEADER), size.to_bytes(8, "little"), b"ARM\x64"
    return (bytes(head) + _word(_WFI) + _word(_BRANCH_BACK)).ljust(size, b"\0")


def _word(instruction: int) -> bytes:
    return instruction.to_bytes(4, "little")
