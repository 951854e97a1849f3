"""Changes good input into input that is nearly good."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

_EDGES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 63, (1 << 64) - 1)
_MOST = 1 << 16
"""Bytes that an input may grow to."""


def mutated(dice: Random, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds with some changes, one mostly."""
    data = bytearray(dice.choice(seeds))
    for _ in range(1 + int(dice.expovariate(0.7))):
        dice.choice(_CHANGES)(dice, data, seeds)
    return bytes(data[:_MOST])


def _place(dice: Random, data: bytearray) -> int:
    return dice.randrange(len(data) + 1)


def _flip(dice: Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    if data:
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)


def _put(dice: Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    if data:
        data[dice.randrange(len(data))] = dice.randrange(256)


def _number(dice: Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    """A number at an edge, of any size and byte order, mostly where a field could be."""
    size = dice.choice((1, 2, 4, 4, 8))
    at = _place(dice, data) // size * size
    data[at : at + size] = (dice.choice(_EDGES) & (1 << 8 * size) - 1).to_bytes(size, dice.choice(("little", "big")))


def _cut(dice: Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    del data[_place(dice, data) :]


def _remove(dice: Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    at = _place(dice, data)
    del data[at : at + dice.choice((1, 2, 4, 16))]


def _insert(dice: Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    at = _place(dice, data)
    data[at:at] = dice.randbytes(dice.choice((1, 1, 2, 4, 16)))


def _repeat(dice: Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    start = _place(dice, data)
    piece = data[start : start + dice.choice((1, 4, 16, 64))]
    at = _place(dice, data)
    data[at:at] = piece * dice.choice((1, 2, 16, 200))
    del data[_MOST:]


def _splice(dice: Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    other = dice.choice(seeds)
    start = dice.randrange(len(other) + 1)
    at = _place(dice, data)
    data[at : at + dice.choice((0, 8, 1 << 16))] = other[start : start + dice.choice((4, 32, 1 << 12))]


_CHANGES = (_flip, _put, _number, _number, _cut, _remove, _insert, _repeat, _splice)
