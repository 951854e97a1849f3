"""Permissions of a node as the server keeps them: who may do what, and which entries are void.

An entry that names a domain which does not exist is shown, but void for ever: a later domain of that id must not
inherit it (XSA-322, XSA-417).
"""

from __future__ import annotations

from xenbus.perm import DOMID_ANY
from xenbus.server.arguments import Refused, leading_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Entry = tuple[int, int, bool]
    """(domid, rights, whether it is void)"""

READ, WRITE, OWNER = 1, 2, 4
ALL = READ | WRITE | OWNER
NOBODY = -1
"""No domain's id."""

_LETTERS = b"nrwb"


class Perms:
    """An immutable list of entries, the owner's first."""

    __slots__ = ("_others", "domids", "entries", "owner")

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = tuple(entries)
        self.owner = self.entries[0][0]
        self._others = self.entries[1:]
        named = {domid for domid, _rights, void in self.entries if not void}
        self.domids = tuple(named - {0, DOMID_ANY})
        """The domains named here that can die."""

    @property
    def wire(self) -> bytes:
        """As GET_PERMS answers it."""
        return b"".join([b"%c%d\0" % (_LETTERS[rights], domid) for domid, rights, _void in self.entries])

    def rights(self, domid: int, target: int = NOBODY) -> int:
        """What an unprivileged domain, which may have the rights of `target` too, may do."""
        if self.owner == domid or self.owner == target:
            return ALL
        for other, rights, void in self._others:
            if other in (domid, target, DOMID_ANY) and not void:
                return rights
        return self.entries[0][1]

    def inherited(self, domid: int) -> Perms:
        """Those of a child that an unprivileged domain makes."""
        if self.owner == domid:
            return self
        return Perms(((domid, self.entries[0][1], False), *self.entries[1:]))

    def without(self, domid: int) -> Perms:
        """These without a dead domain, which must not be the owner."""
        return Perms((self.entries[0], *(entry for entry in self.entries[1:] if entry[0] != domid)))

    def lasting(self) -> bytes:
        """Like `wire` without void entries: what may be kept beyond the server's life."""
        return Perms(entry for entry in self.entries if not entry[2]).wire

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Perms) and self.entries == other.entries)

    def __hash__(self) -> int:
        return hash(self.entries)

    def __repr__(self) -> str:
        return f"Perms({self.wire!r})"


def parse_perms(texts: Sequence[bytes], exists: Callable[[int], bool]) -> Perms:
    """From letters and domids, as SET_PERMS gives them; `exists` also tells whether DOMID_ANY may be used."""
    entries = []
    for text in texts:
        rights = _LETTERS.find(text[:1]) if text else -1
        digits, rest = text[1:], b""
        if digits.isdigit() and digits[:1] != b"0" and len(digits) <= 5:
            domid = int(digits)  # as nearly everybody writes it
        else:
            domid, rest = leading_number(digits, base=0)
        if rights < 0 or rest or len(text) < 2:
            raise Refused("EINVAL")
        domid = (domid + (1 << 31)) % (1 << 32) - (1 << 31)
        entries.append((domid, rights, not exists(domid)))
    if entries[0][2] or entries[0][0] == DOMID_ANY:
        raise Refused("ENOENT")
    return Perms(entries)
