"""Input that is mostly good, made by the rules of each language, with what is odd at the places where it hurts."""

from __future__ import annotations

import struct
from random import Random

from xenbus import wire
from xenvm.guest.settings import documentation

_KEYS = [key for key, *_ in documentation()]
_ATOMS = (
    *(
        "0",
        "1",
        "-1",
        "007",
        "0x10",
        "18446744073709551616",
        "9" * 400,
        "1e3",
        "''",
        "'x'",
        '"\\x41\\n"',
        "'\\'",
        "None",
    ),
    *("'file:/a,xvda,w'", "'format=raw,vdev=xvdb,target=/a b'", "'mac=00:16:3e:11:22:33,bridge=xenbr0'", "True"),
    *("'0-3,^2'", "'all'", "'node:0'", "'0x100000,4@0x200'", "'/soc/uart'", "'restart'", "[1, 2", "]", "'\u00e9'", "x"),
)
_JOINTS = (" = ", "=", " += ", " == ", " ", "\n=", ";", "=\\\n")


def config(dice: Random) -> bytes:
    """A configuration."""
    lines = ["name = 'g'", "kernel = '/k'", "memory = 64"] if dice.random() < 0.8 else []
    for _ in range(dice.randrange(6)):
        key = dice.choice(_KEYS) if dice.random() < 0.9 else dice.choice(("", "a.b", "9x", "\x00", "é"))
        lines.append(key + (" = " if dice.random() < 0.8 else dice.choice(_JOINTS)) + _value(dice, 0))
    return dice.choice(("\n", "\n", "\r\n", ";", "\n#\n")).join(lines).encode("utf-8", "replace")


def _value(dice: Random, depth: int) -> str:
    if depth < 3 and dice.random() < 0.3:
        items = (_value(dice, depth + 1) for _ in range(dice.randrange(5)))
        return "[" + dice.choice((", ", ",", "\n,")).join(items) + dice.choice(("]", "]", ",]", ""))
    return str(dice.randrange(1 << dice.randrange(1, 70))) if dice.random() < 0.3 else dice.choice(_ATOMS)


_WORDS = (
    *(
        "file:",
        "phy:",
        "/dev/sda",
        "/a b",
        "xvda",
        "sda1",
        "hd",
        "xvdzz16",
        "raw",
        "qcow2",
        "w",
        "r",
        "w!",
        "rw",
        "cdrom",
    ),
    *(
        "format=",
        "vdev=",
        "target=",
        "access=",
        "script=",
        "backend=",
        "mac=",
        "bridge=",
        "rate=",
        "mtu=",
        "ip=",
        "model=",
    ),
    *(
        "00:16:3e:00:00:01",
        "1Gb/s@20ms",
        "10MB/s",
        "all",
        "nodes:",
        "node:",
        "^",
        "0-",
        "-5",
        "0-4095",
        "4096",
        "9" * 30,
    ),
    *(",", ",", ",", "=", ":", "@", " ", "\t", "%s", "\0", "\u00e9", "", "xen=4.17", "gic=v2", "memory=8G", "&", "?"),
)


def words(dice: Random) -> bytes:
    """A disk, a vif, a list of processors... or something of each."""
    return "".join(dice.choice(_WORDS) for _ in range(dice.randrange(1, 9))).encode()


_VALUES = (
    *(b"0", b"1", b"4", b"8", b"9", b"-1", b"+1", b" 1", b"1 ", b"01", b"0x1", b"1_0", b"4294967295", b"4294967296"),
    *(b"9" * 20, b"9" * 21, b"9" * 4096, "٣".encode(), "²".encode(), b"\xff", b"", b"\0", b"fd:3", b"ffffffff:0", b":"),
    *(b"00:16:3e:11:22:33", b"00:16:3e:11:22:3", b"/local/domain/5/device/vbd/0", b"/local/domain/50", b"//", b"/a/"),
    *(b"n0,r5", b"b32752", b"x1", b"\\x41", b"\\", b"\\777", b"connected", b"online", b"A" * 3073),
)


def value(dice: Random) -> bytes:
    """A node's value."""
    return dice.choice(_VALUES) + (dice.choice(_VALUES) if dice.random() < 0.2 else b"")


def tree(dice: Random) -> bytes:
    """A device tree blob, now and then with a header, a token or a name that is wrong."""
    names = b"reg\0compatible\0#address-cells\0#size-cells\0device_type\0bootargs\0a\xffb\0unterminated"
    ends = [0, *(at + 1 for at, byte in enumerate(names) if byte == 0), len(names) - 1]
    block = bytearray(struct.pack(">I", 1) + bytes(4))
    depth = 1
    for _ in range(dice.randrange(30)):
        depth += _node_or_property(dice, block, ends)
    block += struct.pack(">I", 2) * max(0, depth if dice.random() < 0.9 else dice.randrange(5))
    block += struct.pack(">I", 9 if dice.random() < 0.95 else dice.randrange(12))
    fields = [0xD00DFEED, 56 + len(block) + len(names), 56, 56 + len(block), 40, 17, 16, 0, len(names), len(block)]
    if dice.random() < 0.2:
        fields[dice.randrange(10)] = dice.choice((0, 1, 39, 57, 1 << 31, 0xFFFFFFFF, dice.randrange(256)))
    return struct.pack(">10I", *fields) + bytes(16) + bytes(block) + names


def _node_or_property(dice: Random, block: bytearray, ends: list[int]) -> int:
    """Adds something; by how much the depth changes."""
    kind = dice.random()
    if kind < 0.35:
        name = dice.choice((b"memory@40000000", b"cpus", b"cpu@0", b"chosen", b"hypervisor", b"", b"\xff", b"x" * 300))
        block += struct.pack(">I", 1) + name + bytes(4 - len(name) % 4)
        return 1
    if kind < 0.55:
        block += struct.pack(">I", 2)
        return -1
    if kind < 0.95:
        data = dice.choice((b"", b"memory\0", b"arm,gic-v3\0", b"\0\0\0\2", dice.randbytes(16)))
        size = len(data) if dice.random() < 0.95 else dice.choice((1 << 31, 0xFFFFFFFF, 4096))
        at = dice.choice(ends) if dice.random() < 0.95 else dice.choice((1 << 31, 9999))
        block += struct.pack(">III", 3, size, at) + data + bytes(-len(data) % 4)
        return 0
    block += struct.pack(">I", dice.choice((4, 4, 0, 5, 9, 0x01000000)))
    return 0


_PATHS = (
    *(
        b"/",
        b"/a",
        b"/a/b",
        b"/a/b/c",
        b"/local/domain/5",
        b"/local/domain/5/x",
        b"x",
        b"data/y",
        b"@releaseDomain",
        b"@x",
    ),
    *(
        b"",
        b"//",
        b"/a/",
        b"/a b",
        b"/\xff",
        b"/" + b"x" * 3100,
        b"/x" * 600,
        b"5",
        b"0",
        b"32752",
        b"99999",
        b"-1",
        b"T",
    ),
    *(b"F", b"n0", b"r5", b"b6", b"n5", b"q9", b"token", b"t" * 4000, b"help", b"print", b"quota", b"1", b"\x80"),
)


def packets(dice: Random) -> bytes:
    """Some requests, good and bad ones."""
    return b"".join(_packet(dice) for _ in range(dice.randrange(1, 6)))


def _packet(dice: Random) -> bytes:
    op = dice.randrange(28) if dice.random() < 0.95 else dice.choice((99, 1 << 31, 0xFFFFFFFF))
    parts = [dice.choice(_PATHS) for _ in range(dice.choice((0, 1, 1, 1, 2, 2, 3, 6)))]
    payload = b"\0".join(parts) + dice.choice((b"\0", b"\0", b"", b"value", b"\0\0"))
    length = len(payload) if dice.random() < 0.97 else dice.choice((0, 1, 4096, 4097, 1 << 31, 0xFFFFFFFF))
    tx = dice.choice((0, 0, 0, 1, 2, 3, 0xFFFFFFFF))
    return wire.HEADER.pack(op, dice.randrange(4), tx, length) + payload


def kernel(dice: Random) -> bytes:
    """The beginning of a kernel's file."""
    head = bytearray(dice.choice((64, 64, 80, 48, 63, 4096)))
    head[: dice.choice((0, 4))] = dice.choice((b"\x08\0\0\x14", b"MZ\0\0", b"\x7fELF", b"\x1f\x8b\x08\0"))[:4]
    if dice.random() < 0.6 and len(head) >= 64:
        head[56:60] = b"ARM\x64"
        for at in (8, 16, 24):
            number = dice.choice((0, 0x80000, 1 << 21, 4095, 1 << 63, (1 << 64) - 1, 3 << 30))
            head[at : at + 8] = number.to_bytes(8, "little")
    elif len(head) >= 48:
        head[0x24:0x28] = b"\x18\x28\x6f\x01"
        head[0x28:0x30] = dice.randbytes(8) if dice.random() < 0.5 else bytes(8)
    return bytes(head)


def page(dice: Random) -> bytes:
    """A shared page: mostly nothing, and indexes of any kind."""
    data = bytearray(4096)
    for at in (0, 4, 8, 12, 2048, 2052, 2056, 2060, 2064, 2068, 2072):
        word = dice.choice((0, 0, 1, 31, 32, 33, 1023, 1024, 1025, 0x7FFFFFFF, 0xFFFFFFFF, dice.randrange(1 << 32)))
        data[at : at + 4] = word.to_bytes(4, "little")
    some = packets(dice)[:1024]
    data[64 : 64 + len(some)] = some
    return bytes(data)
