"""The few rtnetlink requests that plumbing a vif takes (rtnetlink(7), linux/rtnetlink.h, linux/if_link.h)."""

from __future__ import annotations

import _socket  # socket itself is as much to load as all of the plumbing
import errno
import os
import struct

from xenbus.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

GROUP_LINK = 1
"""RTMGRP_LINK: notices of interfaces that come, go or change."""

# nlmsghdr: length, type, flags, sequence, port. ifinfomsg: family, type, index, flags, mask of flags to change.
# ifaddrmsg: family, prefix length, flags, scope, index. rtattr: length, type.
_HEADER = struct.Struct("=IHHII")
_IFINFO = struct.Struct("=BxHiII")
_IFADDR = struct.Struct("=BBBBI")
_ATTRIBUTE = struct.Struct("=HH")

_MSG_ERROR, _MSG_DONE = 2, 3
_REQUEST, _ACK, _DUMP = 0x001, 0x004, 0x300
_SETLINK, _GETLINK = 19, 18
_DELADDR, _GETADDR = 21, 22
_TYPE_MASK = 0x3FFF

_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_MASTER, _IFLA_LINKINFO = 1, 3, 4, 10, 18
_IFLA_INFO_KIND = 1

UP = 1
"""IFF_UP."""


class Link(Value):
    """A network interface."""

    index: int
    name: str
    flags: int
    mtu: int
    kind: str = ""
    """``bridge``, ``openvswitch``, ``veth``...; empty where the driver does not tell."""
    master: int = 0
    """Index of the bridge that it is a port of, or 0."""


class Netlink:
    """A socket to the kernel's network configuration; a context manager. Refusals are ``OSError``."""

    def __init__(self, groups: int = 0) -> None:
        self._sequence = 0
        self.socket = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, _socket.NETLINK_ROUTE)
        try:
            self.socket.bind((0, groups))
        except BaseException:
            self.socket.close()
            raise

    def close(self) -> None:
        """Closes the socket."""
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def link(self, name: str) -> Link | None:
        """The interface of this name, None if there is none."""
        try:
            replies = self._request(_GETLINK, _ACK, _IFINFO.pack(0, 0, 0, 0, 0) + _attribute(_IFLA_IFNAME, _text(name)))
        except OSError as error:
            if error.errno == errno.ENODEV:
                return None
            raise
        return _link(replies[0]) if replies else None

    def links(self) -> list[Link]:
        """All interfaces of this network namespace."""
        return [_link(reply) for reply in self._request(_GETLINK, _DUMP, _IFINFO.pack(0, 0, 0, 0, 0))]

    def set_up(self, index: int, up: bool) -> None:
        """Switches an interface on or off."""
        self._request(_SETLINK, _ACK, _IFINFO.pack(0, 0, index, UP if up else 0, UP))

    def set_address(self, index: int, mac: bytes) -> None:
        """Sets the hardware address."""
        self._set(index, _IFLA_ADDRESS, mac)

    def set_mtu(self, index: int, mtu: int) -> None:
        """Sets the MTU in bytes."""
        self._set(index, _IFLA_MTU, struct.pack("=I", mtu))

    def set_name(self, index: int, name: str) -> None:
        """Renames an interface that is down; EEXIST if the name is taken."""
        self._set(index, _IFLA_IFNAME, _text(name))

    def set_master(self, index: int, bridge: int) -> None:
        """Makes an interface a port of the bridge with this index; 0: of none."""
        self._set(index, _IFLA_MASTER, struct.pack("=I", bridge))

    def flush_addresses(self, index: int) -> None:
        """Removes all IP addresses of an interface."""
        for address in self._request(_GETADDR, _DUMP, _IFADDR.pack(0, 0, 0, 0, 0)):
            if _IFADDR.unpack_from(address)[4] != index:
                continue
            try:
                self._request(_DELADDR, _ACK, address)
            except OSError as error:
                # A secondary address goes with its primary one.
                if error.errno != errno.EADDRNOTAVAIL:
                    raise

    def _set(self, index: int, attribute: int, value: bytes) -> None:
        self._request(_SETLINK, _ACK, _IFINFO.pack(0, 0, index, 0, 0) + _attribute(attribute, value))

    def _request(self, kind: int, flags: int, body: bytes) -> list[bytes]:
        """Sends one request; the bodies of the replies, up to the acknowledgement or the end of a dump."""
        self._sequence += 1
        header = _HEADER.pack(_HEADER.size + len(body), kind, _REQUEST | flags, self._sequence, 0)
        self.socket.send(header + body)
        replies: list[bytes] = []
        while True:
            for answer, sequence, payload in _messages(self.socket.recv(1 << 17)):
                if sequence != self._sequence:
                    continue
                if answer in (_MSG_ERROR, _MSG_DONE):
                    code = -struct.unpack_from("=i", payload)[0]
                    if code:
                        raise OSError(code, os.strerror(code))
                    return replies
                replies.append(payload)


def _messages(packet: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Type, sequence number and body of the messages in a packet."""
    for length, (_, kind, _, sequence, _), start in _walk(packet, _HEADER):
        yield kind, sequence, packet[start + _HEADER.size : start + length]


def _attributes(data: bytes) -> dict[int, bytes]:
    """Attributes by type, without the flag bits of the type."""
    return {
        kind & _TYPE_MASK: data[start + _ATTRIBUTE.size : start + length]
        for length, (_, kind), start in _walk(data, _ATTRIBUTE)
    }


def _walk(data: bytes, header: struct.Struct) -> Iterator[tuple[int, tuple[int, ...], int]]:
    """Length, header fields and offset of records that carry their length first and are padded to 4 bytes."""
    start = 0
    while start + header.size <= len(data):
        fields = header.unpack_from(data, start)
        if fields[0] < header.size:
            return
        yield fields[0], fields, start
        start += (fields[0] + 3) & ~3


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)


def _text(name: str) -> bytes:
    return os.fsencode(name) + b"\0"


def _string(value: bytes) -> str:
    return os.fsdecode(value.rstrip(b"\0"))


def _link(message: bytes) -> Link:
    _, _, index, flags, _ = _IFINFO.unpack_from(message)
    found = _attributes(message[_IFINFO.size :])
    info = _attributes(found.get(_IFLA_LINKINFO, b""))
    return Link(
        index,
        _string(found.get(_IFLA_IFNAME, b"")),
        flags,
        _number(found.get(_IFLA_MTU)),
        _string(info.get(_IFLA_INFO_KIND, b"")),
        _number(found.get(_IFLA_MASTER)),
    )


def _number(value: bytes | None) -> int:
    return int(struct.unpack_from("=I", value)[0]) if value else 0
