"""Reads flattened device trees strictly, compares them, and prints them as source.

The format is that of the Devicetree Specification, chapter 5, version 17. Whatever the bytes are, reading them ends in
a tree or in an ImageError; no recursion depends on them beyond a depth of 64.
"""

from __future__ import annotations

from struct import unpack_from

from xenbus.value import Value
from xenvm.errors import ImageError
from xenvm.guest.image import read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    Semantic: TypeAlias = "dict[str, bytes | Semantic]"

MAX_SIZE = 2 << 20
"""No larger tree can be given to a kernel of any ARM."""
HEADER_SIZE = 40

_MAGIC = 0xD00DFEED
_BEGIN_NODE, _END_NODE, _PROP, _NOP, _END = 1, 2, 3, 4, 9
_MAX_DEPTH = 64
_MAX_NAME = 256
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789,._+-"
_NODE_CHARS = frozenset((_LETTERS + "@").encode())
_PROP_CHARS = frozenset((_LETTERS + "?#*").encode())

_TEXTS = frozenset(
    ("bootargs", "compatible", "device_type", "enable-method", "method", "model", "status", "stdout-path")
)
_CELLS = frozenset(
    (
        "clock-frequency",
        "cpu_off",
        "cpu_on",
        "current-speed",
        "interrupt-parent",
        "interrupts",
        "linux,initrd-end",
        "linux,initrd-start",
        "linux,phandle",
        "phandle",
        "ranges",
        "reg",
    )
)
_BYTES = frozenset(("rng-seed", "local-mac-address", "mac-address"))


class Node(Value):
    """A node with its properties and subnodes in the tree's order; the root's name is empty."""

    name: str
    props: tuple[tuple[str, bytes], ...] = ()
    nodes: tuple[Node, ...] = ()


def read(blob: bytes, name: str = "device tree") -> Node:
    """The tree in a blob, which may be longer than the tree. ImageError, about `name`, if anything is amiss."""
    try:
        return _Reader(blob).tree()
    except _Malformed as error:
        raise ImageError(name, f"not a valid device tree blob: {error}") from None


def read_partial(path: str) -> tuple[Node, ...]:
    """What xl copies from a partial device tree: ``/passthrough``, which must be there, then ``/aliases`` if it is."""
    nodes = {node.name: node for node in read(read_file(path, MAX_SIZE), path).nodes}
    if "passthrough" not in nodes:
        raise ImageError(path, "a partial device tree needs a node /passthrough")
    return tuple(nodes[name] for name in ("passthrough", "aliases") if name in nodes)


def semantic(tree: Node | bytes) -> Semantic:
    """What a tree says, for comparing: properties by name, subnodes by name and a slash, without the random seed."""
    if not isinstance(tree, Node):
        tree = read(tree)
    meaning: Semantic = {name: value for name, value in tree.props if name != "rng-seed"}
    meaning.update((f"{node.name}/", semantic(node)) for node in tree.nodes)
    return meaning


def to_dts(tree: Node | bytes) -> str:
    """Device tree source that dtc compiles to the same tree; the same text for the same tree."""
    if not isinstance(tree, Node):
        tree = read(tree)
    return "\n".join(("/dts-v1/;", "", *_node_lines(tree, 0), ""))


def _node_lines(node: Node, depth: int) -> list[str]:
    indent = "\t" * depth
    lines = [f"{indent}{node.name or '/'} {{"]
    lines += [f"{indent}\t{name}{_value(name, value)};" for name, value in node.props]
    for child in node.nodes:
        # A blank line sets off what follows something else.
        if len(lines) > 1:
            lines.append("")
        lines += _node_lines(child, depth + 1)
    lines.append(f"{indent}}};")
    return lines


def _value(name: str, value: bytes) -> str:
    if not value:
        return ""
    if name not in _BYTES:
        if _is_text(name, value):
            return " = " + ", ".join(f'"{_escape(text)}"' for text in value[:-1].split(b"\0"))
        if len(value) % 4 == 0:
            return " = <" + " ".join(f"{cell:#x}" for cell in unpack_from(f">{len(value) // 4}I", value)) + ">"
    return f" = [{value.hex(' ')}]"


def _is_text(name: str, value: bytes) -> bool:
    """Known texts if they can be; never known cells; of others what looks like it, as dtc guesses."""
    if value[-1] or name in _CELLS or name.startswith("#"):
        return False
    return name in _TEXTS or all(map(_printable, value[:-1].split(b"\0")))


def _printable(text: bytes) -> bool:
    return len(text) > 0 and text.isascii() and text.decode("ascii").isprintable()


def _escape(text: bytes) -> str:
    return "".join(f"\\{chr(c)}" if c in b'"\\' else chr(c) if 0x20 <= c < 0x7F else f"\\x{c:02x}" for c in text)


class _Malformed(Exception):
    """What is wrong with a blob."""


class _Open:
    """A node whose end has not come yet."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.props: dict[str, bytes] = {}
        self.nodes: dict[str, Node] = {}

    def closed(self) -> Node:
        return Node(self.name, tuple(self.props.items()), tuple(self.nodes.values()))


class _Reader:
    """One pass over the structure block; every offset is checked before it is used."""

    def __init__(self, blob: bytes) -> None:
        if len(blob) < HEADER_SIZE:
            raise _Malformed("shorter than its header")
        magic, total, struct, strings, _, version, compatible, _, strings_size, struct_size = unpack_from(">10I", blob)
        if magic != _MAGIC:
            raise _Malformed("wrong magic number")
        if version < 17 or compatible > 17:
            raise _Malformed(f"version {version} of the format, only 17 is understood")
        if total > len(blob):
            raise _Malformed(f"cut off: {len(blob)} of {total} bytes are there")
        if struct % 4 or struct < HEADER_SIZE or struct + struct_size > total or strings + strings_size > total:
            raise _Malformed("its blocks do not lie inside it")
        self._struct = blob[struct : struct + struct_size]
        self._strings = blob[strings : strings + strings_size]
        self._at = 0
        self._open: list[_Open] = []

    def tree(self) -> Node:
        """The root; what follows its end is padding."""
        if self._token() != _BEGIN_NODE or self._node_name():
            raise _Malformed("does not begin with a root node")
        self._open.append(_Open(""))
        while True:
            token = self._token()
            if token == _BEGIN_NODE:
                self._begin()
            elif token == _PROP:
                self._property()
            elif token != _END_NODE:
                raise _Malformed(f"unexpected token {token:#x}")
            elif node := self._end():
                if self._token() != _END:
                    raise _Malformed("no end mark after the root node")
                return node

    def _begin(self) -> None:
        name = self._node_name()
        if not name or name.count("@") > 1:
            raise _Malformed(f"bad node name {name!r}")
        if name in self._open[-1].nodes:
            raise _Malformed(f"two nodes {name} in one node")
        if len(self._open) >= _MAX_DEPTH:
            raise _Malformed(f"nodes nested more than {_MAX_DEPTH} deep")
        self._open.append(_Open(name))

    def _end(self) -> Node | None:
        """Hangs the node into its parent; returns it if it is the root."""
        node = self._open.pop().closed()
        if not self._open:
            return node
        self._open[-1].nodes[node.name] = node
        return None

    def _property(self) -> None:
        node = self._open[-1]
        size, name_at = self._word(), self._word()
        name = _text(self._strings, name_at, _PROP_CHARS)
        if not name or name in node.props:
            raise _Malformed(f"property {name!r} twice or without a name")
        if node.nodes:
            raise _Malformed(f"property {name} after a subnode")
        node.props[name] = self._take(size)

    def _token(self) -> int:
        """The next token that is not a NOP."""
        while (token := self._word()) == _NOP:
            pass
        return token

    def _word(self) -> int:
        return int.from_bytes(self._take(4), "big")

    def _take(self, size: int) -> bytes:
        """The next `size` bytes; then goes on at a multiple of four."""
        data = self._struct[self._at : self._at + size]
        if len(data) < size:
            raise _Malformed("its structure ends early")
        self._at += (size + 3) & -4
        return data

    def _node_name(self) -> str:
        name = _text(self._struct, self._at, _NODE_CHARS)
        self._take(len(name) + 1)
        return name


def _text(block: bytes, start: int, allowed: frozenset[int]) -> str:
    end = block.find(0, start, start + _MAX_NAME)
    if end < start:
        raise _Malformed("a name that does not end, or a very long one")
    name = block[start:end]
    if not allowed.issuperset(name):
        raise _Malformed(f"bad name {name!r}")
    return name.decode("ascii")
