"""Domains by name: what a user types, what the store says, and who else has the name."""

from __future__ import annotations

from xenbus.request import Read
from xenvm.errors import DomainError, DomainExists, NoSuchDomain
from xenvm.ops.records import known
from xenvm.types import Domid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from xenbus.request import Request
    from xenbus.transaction import Transaction
    from xenvm.host.hyper import DomainInfo
    from xenvm.host.open import Host


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
        found = [info for info in found if (str(info.domid) == who if _is_domid(who) else known[info.domid] == who)][:1]
        if not found:
            raise NoSuchDomain(who)
    return found, known


def _is_domid(who: str) -> bool:
    return who.isascii() and who.isdecimal()


def find(host: Host, who: str) -> DomainInfo:
    """The domain that `who` means: all digits are a domid, everything else is a name, as with xl."""
    if _is_domid(who):
        info = host.hyper.domain(Domid(int(who))) if int(who) < 0x7FF0 else None
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
    reads = [Read(f"/local/domain/{info.domid}/name") for info in domains]
    replies = [known(reply) for reply in host.store.batch([*reads, *also])]
    for info, taken in zip(domains, replies, strict=False):
        if taken == name.encode("utf-8", "surrogateescape"):
            raise DomainExists(f"a domain named {name!r} exists already: domid {info.domid}")
        # A dead guest that is kept for inspection may share its uuid with its successor.
        if uuid is not None and info.uuid == uuid and not info.shutdown:
            raise DomainExists(f"a domain with uuid {uuid} exists already: domid {info.domid}")
    return replies[len(reads) :]


def rename(host: Host, who: str, new_name: str) -> None:
    """Gives a domain another name, which must be free."""
    check_name(new_name)
    with host.plumbing.locks.host_lock():
        info = find(host, who)
        check_free(host, host.hyper.domains(), new_name, None)
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
