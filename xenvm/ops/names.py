"""Domains by name: what a user types, what the store says, and who else has the name."""

from __future__ import annotations

from xenbus.errors import StoreError
from xenbus.link import Marks
from xenbus.request import Read, Watch
from xenvm.errors import DomainError, DomainExists, NoSuchDomain
from xenvm.ops.records import known
from xenvm.types import DOM0, NAME_BYTES, Domid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from xenbus.client import Store
    from xenbus.request import Request
    from xenbus.transaction import Transaction
    from xenvm.host.hyper import DomainInfo
    from xenvm.host.open import Host

_TOP = "/local/domain"
_NO_DOMID = 0x7FF0
"""The first of Xen's reserved numbers."""
_DEPTH = 2
"""Down to /local/domain/N/name; what guests can write lies deeper."""


def names(host: Host, domids: Iterable[Domid]) -> dict[Domid, str | None]:
    """Name of each domain in one round trip; None where the store has none (a zombie)."""
    wanted = list(domids)
    replies = host.store.batch([Read(f"/local/domain/{domid}/name") for domid in wanted])
    return {
        domid: name.decode("utf-8", "surrogateescape") if isinstance(name := known(reply), bytes) else None
        for domid, reply in zip(wanted, replies, strict=True)
    }


def listed(host: Host, who: str | None = None) -> tuple[list[DomainInfo], dict[Domid, str | None]]:
    """All domains and their names, or just the one that `who` means. A guest that is being made again is among them
    all the time: as the domain that went down, where there is no other of it at this moment."""
    notes = host.plumbing.watching.notes()
    found = host.hyper.domains()
    known = names(host, [info.domid for info in found])
    notes |= host.plumbing.watching.notes()  # before and after: a restart that ends meanwhile was in the first
    if notes:
        from xenvm.ops.restarts import bridge

        bridge(host, notes, found, known)
    if who is not None:
        wanted = _domid(who) if _is_domid(who) else None
        found = [info for info in found if (known[info.domid] == who if wanted is None else info.domid == wanted)][:1]
        if not found:
            raise NoSuchDomain(who)
    return found, known


def _is_domid(who: str) -> bool:
    return who.isascii() and who.isdecimal()


def _domid(who: str) -> int:
    """The number that digits are; one that no domain can have if there are too many of them."""
    digits = who.lstrip("0")
    return int(digits or "0") if len(digits) <= 5 else _NO_DOMID


def find(host: Host, who: str) -> DomainInfo:
    """The domain that `who` means: all digits are a domid, everything else is a name, as with xl."""
    if _is_domid(who):
        info = host.hyper.domain(Domid(_domid(who))) if _domid(who) < _NO_DOMID else None
    else:
        known = {info.domid: info for info in host.hyper.domains()}
        named = (domid for domid, name in names(host, known).items() if name == who)
        info = next((known[domid] for domid in named), None)
    if info is None:
        raise NoSuchDomain(who)
    return info


def find_guest(host: Host, who: str) -> DomainInfo:
    """Like `find`, but not domain 0, which is this host itself."""
    info = find(host, who)
    if info.domid == 0:
        raise DomainError("domain 0 is this host: the command is for guests")
    return info


def check_free(
    host: Host, domains: Sequence[DomainInfo], name: str, uuid: str | None, *, also: Sequence[Request] = ()
) -> list[object]:
    """Refuses a name or uuid that one of the `domains` has; gives the answers to `also`, asked in the same trip."""
    roster = _roster(host)
    answers = roster.look(domains, also)
    for domid in roster.owners(name.encode("utf-8", "surrogateescape")):
        if any(info.domid == domid for info in domains):
            raise DomainExists(f"a domain named {name!r} exists already: domid {domid}")
    for info in domains if uuid is not None else ():
        # A dead guest that is kept for inspection may share its uuid with its successor.
        if info.uuid == uuid and not info.shutdown:
            raise DomainExists(f"a domain with uuid {uuid} exists already: domid {info.domid}")
    return answers


def _roster(host: Host) -> Roster:
    """That of the host, if its process makes many guests."""
    roster: Roster | None = host.kept.get("roster")
    if roster is None or roster.store is not host.store:
        roster = Roster(host.store, keep=host.resident)
        if host.resident:
            host.kept["roster"] = roster
    return roster


class _Changes(Marks):
    """The domains of which something near the top has changed; all of them if `of` has an empty word."""

    def note(self, token: bytes, path: bytes) -> None:
        """See Marks."""
        self.of.add(path[len(_TOP) + 1 :].partition(b"/")[0])


class Roster:
    """The names of all domains, over one connection.

    A creation has to know that its name is free, and no node of the store says which names are taken: all are asked
    for, in one round trip. If `keep`, once; from then on one watch, limited in depth (feature WATCHDEPTH), tells which
    have changed. Where the server cannot do that, all are asked for each time.
    """

    def __init__(self, store: Store, keep: bool) -> None:
        self.store = store
        self._changes = _Changes()
        self._names: dict[Domid, bytes] = {}
        self._taken: dict[bytes, dict[Domid, None]] = {}
        self._kept: bool | None = None if keep else False
        """Whether the watch is there; None: it was not asked for yet."""

    def look(self, domains: Sequence[DomainInfo], also: Sequence[Request]) -> list[object]:
        """Brings itself up to date with these domains, all that there are; gives the answers to `also`.

        One round trip, and another if a name has changed meanwhile.
        """
        # What others did before is told in front of an answer: one is asked for even if there is nothing to know.
        answers = self._ask(self._unknown(domains) or [DOM0], also)
        while self._kept and self._changes.any():
            self._ask(self._unknown(domains), ())
        return answers

    def owners(self, name: bytes) -> Iterable[Domid]:
        """Who has a name, as of the last look."""
        return self._taken.get(name, ())

    def _unknown(self, domains: Sequence[DomainInfo]) -> list[Domid]:
        """Whom to ask for: those of whom there is news, or all. One that no event told of has no name yet."""
        changed = self.store.link.take_marks(self._changes)
        if self._kept and b"" not in changed:
            return [Domid(int(number)) for number in changed if number.isdigit() and len(number) <= 5]
        self._names.clear()
        self._taken.clear()
        return [info.domid for info in domains]

    def _put(self, domid: Domid, name: bytes | None) -> None:
        before = self._names.pop(domid, None)
        if before is not None:
            del self._taken[before][domid]
            if not self._taken[before]:
                del self._taken[before]
        if name is not None:
            self._names[domid] = name
            self._taken.setdefault(name, {})[domid] = None

    def _ask(self, domids: Sequence[Domid], also: Sequence[Request]) -> list[object]:
        reads: list[Request] = [Read(f"{_TOP}/{domid}/name") for domid in domids]
        replies = self.store.batch([*self._watch(), *reads, *also])
        if self._kept is None:
            self._kept = not isinstance(replies.pop(0), StoreError)
        answers = [known(reply) for reply in replies]
        for domid, name in zip(domids, answers, strict=False):
            self._put(domid, name if isinstance(name, bytes) else None)
        return answers[len(reads) :]

    def _watch(self) -> list[Request]:
        """The watch, once; it goes out in front of the first names that are read."""
        if self._kept is not None:
            return []
        token = self.store.link.new_token(self._changes)
        return [Watch(_TOP, token.decode(), _DEPTH)]


def rename(host: Host, who: str, new_name: str) -> None:
    """Gives a domain another name, which must be free."""
    check_name(new_name)
    with host.plumbing.locks.host_lock():
        info = find(host, who)
        # The name that it has already is free for it.
        check_free(host, [other for other in host.hyper.domains() if other.domid != info.domid], new_name, None)
        host.store.retry(lambda tx: _rename(tx, info.domid, new_name))


def _rename(tx: Transaction, domid: Domid, name: str) -> None:
    """Writes both names, unless the domain has gone: nothing of it must come back."""
    home = f"/local/domain/{domid}"
    if tx.read_or_none(f"{home}/name") is None:
        raise NoSuchDomain(domid)
    tx.write(f"{home}/name", name)
    vm = (tx.read_or_none(f"{home}/vm") or b"").decode("ascii", "replace")
    if vm.startswith("/vm/") and tx.read_or_none(vm) is not None:
        tx.write(f"{vm}/name", name)


def check_name(name: str) -> None:
    """Refuses a name that could not be addressed or would garble a list."""
    if not name or name.isdecimal():
        raise DomainError(f"{name!r} cannot name a domain: it would be taken for a domid")
    if any(ord(character) < 0x20 or character in "/\x7f" for character in name):
        raise DomainError(f"{name!r} cannot name a domain: it has a slash or a control character")
    if len(name.encode("utf-8", "surrogateescape")) > NAME_BYTES:
        raise DomainError(f"{name[:20]!r}... cannot name a domain: it is longer than {NAME_BYTES} bytes")
