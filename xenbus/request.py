"""Requests to a store as values: what to send, and how to understand the answer.

A request does nothing by itself; give it to :meth:`xenbus.client.Store.batch` and its relatives. Two requests are equal
if they put the same bytes on the wire.
"""

from __future__ import annotations

from xenbus import wire
from xenbus.errors import InvalidValue
from xenbus.parse import parse_decimal
from xenbus.path import encode_path
from xenbus.perm import Perm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


class Request:
    """One request: `path` is its object, for messages; `payload` goes over the wire behind the header."""

    __slots__ = ("path", "payload")
    op: int
    """Number of the operation."""
    accepts: tuple[str, ...] = ()
    """Errors that are as good as success: their names on the wire."""
    verb = "request"
    """What it does, for messages."""

    def __init__(self, path: str, payload: bytes) -> None:
        if len(payload) > wire.PAYLOAD_MAX:
            raise InvalidValue(f"{self.verb} {path}: {len(payload)} bytes are too many, {wire.PAYLOAD_MAX} are allowed")
        self.path, self.payload = path, payload

    def decode(self, payload: bytes) -> Any:
        """The value of a successful answer; raises ValueError for one that makes no sense."""
        return None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Request) and (self.op, self.payload) == (other.op, other.payload)

    def __hash__(self) -> int:
        return hash((self.op, self.payload))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, wire.split_strings(self.payload)))})"


class _OnNode(Request):
    """A request whose only argument is a node."""

    __slots__ = ()

    def __init__(self, path: str) -> None:
        self.path, self.payload = path, encode_path(path) + b"\0"


class Read(_OnNode):
    """The node's value, as bytes."""

    __slots__ = ()
    op, verb = wire.READ, "read"

    def decode(self, payload: bytes) -> bytes:
        """The value, untouched."""
        return payload


class List(_OnNode):
    """The names of the node's children as a tuple, oldest first."""

    __slots__ = ()
    op, verb = wire.DIRECTORY, "list"

    def decode(self, payload: bytes) -> tuple[str, ...]:
        """The names."""
        return tuple(wire.split_strings(payload))


class ListPart(Request):
    """A part of a long list of children, from byte `offset` on: (generation, names, whether that was the end)."""

    __slots__ = ()
    op, verb = wire.DIRECTORY_PART, "list"

    def __init__(self, path: str, offset: int) -> None:
        super().__init__(path, b"%b\0%d\0" % (encode_path(path), offset))

    def decode(self, payload: bytes) -> tuple[str, bytes, bool]:
        """The names as they stand in the packet, so that the next offset can be counted."""
        generation, found, names = payload.partition(b"\0")
        if not found:
            raise ValueError("no generation")
        last = names == b"\0" or names.endswith(b"\0\0")
        return generation.decode("ascii", "replace"), names[:-1] if last else names, last


class Write(Request):
    """Sets the value, and makes missing parents; text is written as UTF-8."""

    __slots__ = ()
    op, verb = wire.WRITE, "write"

    def __init__(self, path: str, value: bytes | str = b"") -> None:
        raw = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
        super().__init__(path, b"%b\0%b" % (encode_path(path), raw))

    @property
    def value(self) -> bytes:
        """The value to write."""
        return self.payload.partition(b"\0")[2]

    def __repr__(self) -> str:
        return f"Write({self.path!r}, {self.value!r})"


class Mkdir(_OnNode):
    """Makes an empty node and its missing parents; an existing one is left alone."""

    __slots__ = ()
    op, verb = wire.MKDIR, "mkdir"


class Remove(_OnNode):
    """Removes the node with all below; a missing node is no error, a missing parent is NotFound."""

    __slots__ = ()
    op, verb = wire.RM, "rm"


class Discard(Remove):
    """Sees to it that there is no such node: a missing parent is no error either."""

    __slots__ = ()
    accepts = ("ENOENT",)


class GetPerms(Request):
    """The node's permissions, as a tuple of Perm."""

    __slots__ = ()
    op, verb = wire.GET_PERMS, "get permissions of"

    def __init__(self, path: str) -> None:
        super().__init__(path, encode_path(path, special=True) + b"\0")

    def decode(self, payload: bytes) -> tuple[Perm, ...]:
        """The entries, the owner's first."""
        return tuple(map(Perm.parse, wire.split_strings(payload)))


class SetPerms(Request):
    """Replaces the node's permissions: at least one, the owner's first."""

    __slots__ = ()
    op, verb = wire.SET_PERMS, "set permissions of"

    def __init__(self, path: str, perms: Iterable[Perm]) -> None:
        entries = "".join(f"{perm}\0" for perm in perms).encode("ascii")
        if not entries:
            raise InvalidValue(f"set permissions of {path}: at least the owner must be given")
        super().__init__(path, encode_path(path, special=True) + b"\0" + entries)

    @property
    def perms(self) -> tuple[Perm, ...]:
        """The permissions to set."""
        return tuple(map(Perm.parse, wire.split_strings(self.payload)[1:]))


class Watch(Request):
    """Events for every change of the node or below, each with `token`; the first comes at once.

    `depth` limits how far below (0: the node alone); only servers with the feature WATCHDEPTH take it.
    """

    __slots__ = ()
    op, verb = wire.WATCH, "watch"

    def __init__(self, path: str, token: str, depth: int | None = None) -> None:
        super().__init__(path, _watch_payload(path, token) + (b"" if depth is None else b"%d\0" % depth))


class Unwatch(Request):
    """Ends a watch; events that are under way may still arrive."""

    __slots__ = ()
    op, verb = wire.UNWATCH, "unwatch"

    def __init__(self, path: str, token: str) -> None:
        super().__init__(path, _watch_payload(path, token))


def _watch_payload(path: str, token: str) -> bytes:
    if "\0" in token:
        raise InvalidValue(f"watch {path}: a token cannot have a NUL")
    return encode_path(path, special=True) + b"\0" + token.encode("utf-8", "surrogateescape") + b"\0"


class _Plain(Request):
    """A request whose arguments are numbers or words."""

    __slots__ = ()

    def __init__(self, *arguments: int | str) -> None:
        words = [str(argument) for argument in arguments]
        if any("\0" in word for word in words):
            raise InvalidValue(f"{self.verb}: an argument cannot have a NUL")
        super().__init__(" ".join(words), wire.join_strings(words))


class Begin(Request):
    """Starts a transaction and gives its id."""

    __slots__ = ()
    op, verb = wire.TRANSACTION_START, "start a transaction"

    def __init__(self) -> None:
        self.path, self.payload = "", b"\0"

    def decode(self, payload: bytes) -> int:
        """The transaction's id, never 0."""
        number = parse_decimal(payload.rstrip(b"\0"), minimum=1, maximum=0xFFFFFFFF)
        if number is None:
            raise ValueError("no transaction has this id")
        return number


class End(Request):
    """Ends a transaction: commits it, or drops its changes."""

    __slots__ = ()
    op, verb = wire.TRANSACTION_END, "end a transaction"

    def __init__(self, commit: bool) -> None:
        self.path, self.payload = "", b"T\0" if commit else b"F\0"


class Introduce(_Plain):
    """Tells the server to serve a domain's ring (its frame and the domain's event channel)."""

    __slots__ = ()
    op, verb = wire.INTRODUCE, "introduce"

    def __init__(self, domid: int, gfn: int, port: int) -> None:
        super().__init__(domid, gfn, port)


class Release(_Plain):
    """Tells the server to forget a domain."""

    __slots__ = ()
    op, verb = wire.RELEASE, "release"

    def __init__(self, domid: int) -> None:
        super().__init__(domid)


class Resume(_Plain):
    """Makes the server report a domain's next shutdown, after it had come back from one."""

    __slots__ = ()
    op, verb = wire.RESUME, "resume"

    def __init__(self, domid: int) -> None:
        super().__init__(domid)


class SetTarget(_Plain):
    """Gives `domid` the rights of `target` too."""

    __slots__ = ()
    op, verb = wire.SET_TARGET, "set the target of"

    def __init__(self, domid: int, target: int) -> None:
        super().__init__(domid, target)


class IsIntroduced(_Plain):
    """Whether the server serves a domain."""

    __slots__ = ()
    op, verb = wire.IS_DOMAIN_INTRODUCED, "look up domain"

    def __init__(self, domid: int) -> None:
        super().__init__(domid)

    def decode(self, payload: bytes) -> bool:
        """True or False."""
        return (b"F\0", b"T\0").index(payload) == 1


class DomainPath(_Plain):
    """The base of a domain's relative paths, whether the domain exists or not."""

    __slots__ = ()
    op, verb = wire.GET_DOMAIN_PATH, "look up the path of domain"

    def __init__(self, domid: int) -> None:
        super().__init__(domid)

    def decode(self, payload: bytes) -> str:
        """An absolute path."""
        return payload.rstrip(b"\0").decode("ascii", "surrogateescape")


class GetQuota(_Plain):
    """A quota of a domain, or of all (None); a server that is older than 4.22 refuses it."""

    __slots__ = ()
    op, verb = wire.GET_QUOTA, "ask for a quota of domain"

    def __init__(self, domid: int | None, name: str) -> None:
        super().__init__(*(() if domid is None else (domid,)), name)

    def decode(self, payload: bytes) -> int:
        """The number, 4294967295 where the domain has none of its own; InvalidValue where it is none."""
        number = parse_decimal(payload.rstrip(b"\0"))
        if number is None:
            raise ValueError("a quota is a number")
        return number


class Control(_Plain):
    """A command to the server itself (``help``, ``quota`` ...); gives its text."""

    __slots__ = ()
    op, verb = wire.CONTROL, "control"

    def decode(self, payload: bytes) -> str:
        """The server's text."""
        return payload.rstrip(b"\0").decode("utf-8", "replace")


class GetFeature(_Plain):
    """What the server offers to its caller, as bits (docs/misc/xenstore-ring.txt); StoreError where it is too old."""

    __slots__ = ()
    op, verb = wire.GET_FEATURE, "get the features"

    def __init__(self) -> None:
        super().__init__()

    def decode(self, payload: bytes) -> int:
        """The bits."""
        bits = parse_decimal(payload.rstrip(b"\0"), maximum=0xFFFFFFFF)
        if bits is None:
            raise ValueError("no bits")
        return bits


class SetFeature(_Plain):
    """What the server will offer to a domain; before the domain is introduced."""

    __slots__ = ()
    op, verb = wire.SET_FEATURE, "set the features of domain"

    def __init__(self, domid: int, bits: int) -> None:
        super().__init__(domid, bits)


class QuotaNames(_Plain):
    """The names of all quotas that domains can have, as a tuple; StoreError where the server is too old."""

    __slots__ = ()
    op, verb = wire.GET_QUOTA, "list the quotas"

    def __init__(self) -> None:
        super().__init__()

    def decode(self, payload: bytes) -> tuple[str, ...]:
        """The names."""
        return tuple(payload.rstrip(b"\0").decode("ascii", "replace").split())


class SetQuota(_Plain):
    """A domain's own quota, or that of all domains without one (None); 0: no limit."""

    __slots__ = ()
    op, verb = wire.SET_QUOTA, "set a quota of domain"

    def __init__(self, domid: int | None, name: str, value: int) -> None:
        super().__init__(*(() if domid is None else (domid,)), name, value)
