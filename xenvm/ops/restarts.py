"""Guests that are being made again: a note of each lies outside the store from before the old one ends until the new
one runs, so that whoever acts may die at any moment, and nobody who lists guests finds one missing.
"""

from __future__ import annotations

from xenbus.value import Value
from xenvm.guest import jsontext
from xenvm.host.hyper import DomainInfo
from xenvm.ops import memo as memos
from xenvm.ops.memo import Memo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.host.open import Host
    from xenvm.types import Domid


class Restart(Value):
    """One guest on its way from one domain to the next."""

    old: DomainInfo
    """The domain that went down, as it was then."""
    memo: Memo
    """What the next is made from."""
    aside: bool = False
    """Whether the old one stays, under another name."""


def begin(host: Host, restart: Restart) -> None:
    """Notes it: from now on it is continued by somebody else if this process ends."""
    fields = {"old": restart.old.as_dict(), "aside": restart.aside, "memo": jsontext.parse(memos.to_text(restart.memo))}
    host.plumbing.watching.note(restart.old.uuid, jsontext.text(fields))


def end(host: Host, uuid: str) -> None:
    """The guest runs again, or there is no hope for it."""
    host.plumbing.watching.forget(uuid)


def cancel(host: Host, uuid: str) -> None:
    """Somebody ends this guest: whoever is about to make it again leaves that."""
    found = _parsed(host.plumbing.watching.notes().get(uuid, ""))
    if found is not None and not found.aside:  # One that was set aside is not the guest that is to come.
        end(host, uuid)


def cancel_named(host: Host, who: str) -> bool:
    """The same for a guest that has no domain at this moment, by its name or last domid; whether there is one."""
    for restart in under_way(host):
        if who == restart.memo.spec.name or (who == str(restart.old.domid) and not restart.aside):
            end(host, restart.old.uuid)
            return True
    return False


def is_cancelled(host: Host, uuid: str) -> bool:
    """Whether the note of a restart that we are busy with has gone."""
    return uuid not in host.plumbing.watching.notes()


def under_way(host: Host) -> list[Restart]:
    """All restarts that somebody is busy with, or was; a note that makes no sense is passed over."""
    return [found for text in host.plumbing.watching.notes().values() if (found := _parsed(text)) is not None]


def bridge(host: Host, notes: dict[str, str], found: list[DomainInfo], names: dict[Domid, str | None]) -> None:
    """Adds to a list of domains and their names the guests of `notes` that have no named domain at this moment."""
    for restart in map(_parsed, notes.values()):
        if restart is None or restart.aside or not _is_seen_to(host, restart):
            continue
        same = [info for info in found if info.uuid == restart.old.uuid]
        if any(names[info.domid] for info in same):
            continue
        if not same:
            found.append(restart.old)
            same = [restart.old]
        names[same[-1].domid] = restart.memo.spec.name


def _is_seen_to(host: Host, restart: Restart) -> bool:
    """Whether somebody lives who will end it."""
    watching = host.plumbing.watching
    return watching.on_duty(restart.old.domid) or watching.on_duty(watching.SUPERVISOR)


def _parsed(text: str) -> Restart | None:
    try:
        fields = jsontext.parse(text)
        return Restart(DomainInfo(**fields["old"]), memos.from_json(fields["memo"]), fields["aside"] is True)
    except (ValueError, TypeError, KeyError):
        return None
