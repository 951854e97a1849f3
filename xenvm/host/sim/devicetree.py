"""Reads a flattened device tree as a kernel does: for what it needs, without a look at the rest.

The format is that of the Devicetree Specification, chapter 5. This reader is apart from the builder's on purpose: a
guest that boots here shows that the tree can be understood by others.
"""

from __future__ import annotations

from struct import Struct, error, unpack_from

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    Tree: TypeAlias = dict[str, dict[str, bytes]]
    """Path (``/`` for the root, ``/cpus/cpu@0``) -> properties, in the order of the blob."""

MAGIC = 0xD00DFEED
MAX_SIZE = 2 << 20
"""Most bytes of a tree that arm64's boot protocol allows."""

_MAX_DEPTH = 64
_BEGIN, _END_NODE, _PROP, _NOP, _END = 1, 2, 3, 4, 9
_HEADER = Struct(">10I")


def tree_size(header: bytes) -> int:
    """The size of the blob that begins so; ValueError if it is none, or too big."""
    magic, size = unpack_from(">II", header)
    if magic != MAGIC or not _HEADER.size <= size <= MAX_SIZE:
        raise ValueError("invalid device tree blob")
    return int(size)


def read_tree(blob: bytes) -> Tree:
    """All nodes with their properties; ValueError if the blob is damaged."""
    try:
        return _read(blob)
    except (error, IndexError, KeyError, UnicodeDecodeError) as problem:
        raise ValueError(f"damaged device tree: {problem}") from None


def _read(blob: bytes) -> Tree:
    _magic, _size, struct, strings, *_rest = _HEADER.unpack_from(blob)
    tree: Tree = {}
    path: list[str] = []
    at = struct
    while True:
        (token,) = unpack_from(">I", blob, at)
        at += 4
        if token == _BEGIN:
            name = _text(blob, at)
            at += len(name) + 4 & -4
            path.append(name)
            if len(path) > _MAX_DEPTH:
                raise ValueError(f"damaged device tree: nodes nested more than {_MAX_DEPTH} deep")
            tree["/".join(path) or "/"] = {}
        elif token == _PROP:
            size, name_at = unpack_from(">II", blob, at)
            tree["/".join(path) or "/"][_text(blob, strings + name_at)] = blob[at + 8 : at + 8 + size]
            at += size + 11 & -4
        elif token == _END_NODE:
            path.pop()
        elif token == _END and not path:
            return tree
        elif token != _NOP:
            raise ValueError(f"damaged device tree: token {token:#x}")


def _text(blob: bytes, start: int) -> str:
    end = blob.index(0, start) if 0 <= start < len(blob) else -1
    if end < 0:
        raise ValueError("damaged device tree: a name outside of it")
    return blob[start:end].decode("ascii")


def cells(value: bytes) -> tuple[int, ...]:
    """A property as numbers of 32 bits."""
    return unpack_from(f">{len(value) // 4}I", value)


def ranges(tree: Tree, path: str) -> list[tuple[int, int]]:
    """The (start, size) pairs of a ``reg`` of one of the root's children."""
    root = tree["/"]
    address, size = (cells(root.get(f"#{name}-cells", b""))[:1] or (default,) for name, default in _DEFAULT_CELLS)
    words = cells(tree[path].get("reg", b""))
    step = address[0] + size[0]
    if not 0 < step <= 4:
        raise ValueError("the root's cells make no sense")
    return [
        (_number(words[at : at + address[0]]), _number(words[at + address[0] : at + step]))
        for at in range(0, len(words) - step + 1, step)
    ]


_DEFAULT_CELLS = (("address", 2), ("size", 1))


def _number(words: tuple[int, ...]) -> int:
    number = 0
    for word in words:
        number = number << 32 | word
    return number


def compatible(properties: dict[str, bytes]) -> list[str]:
    """What a node says that it is, the most exact first."""
    return properties.get("compatible", b"").decode("ascii", "replace").rstrip("\0").split("\0")
