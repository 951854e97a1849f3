"""Permissions of nodes: ``n0,r5`` is owned by domain 0, closed to others, and readable by domain 5.

The first entry names the owner, who may do everything; its letter is the default for all domains that no later entry
names (docs/misc/xenstore.txt, xs_perm in xenstore_lib.h).
"""

from __future__ import annotations

from xenbus.errors import InvalidValue
from xenbus.parse import parse_decimal
from xenbus.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

DOMID_ANY = 0x7FF5
"""Matches every domain, on servers with the feature DOMID_ANY."""

_LETTERS = {(False, False): "n", (True, False): "r", (False, True): "w", (True, True): "b"}
_RIGHTS = {letter: rights for rights, letter in _LETTERS.items()}


class Perm(Value):
    """One entry: what the domain may do."""

    domid: int
    read: bool = False
    write: bool = False

    def __str__(self) -> str:
        return f"{_LETTERS[bool(self.read), bool(self.write)]}{self.domid}"

    @classmethod
    def parse(cls, text: str) -> Perm:
        """From a letter of ``nrwb`` and a decimal domid; raises InvalidValue."""
        rights = _RIGHTS.get(text[:1])
        domid = parse_decimal(text[1:], maximum=0xFFFF)
        if rights is None or domid is None:
            raise InvalidValue(f"{text[:16]!r} is not a permission: n, r, w or b and a domid")
        return cls(domid, *rights)


def parse_perms(text: str) -> tuple[Perm, ...]:
    """From the form ``n0,r5``, at least one entry; raises InvalidValue."""
    return tuple(Perm.parse(entry.strip()) for entry in text.split(","))


def format_perms(perms: Iterable[Perm]) -> str:
    """To the form ``n0,r5``."""
    return ",".join(map(str, perms))
