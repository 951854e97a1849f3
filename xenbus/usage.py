"""What each domain uses of a store's quotas, as far as the server tells."""

from __future__ import annotations

from xenbus.errors import StoreError
from xenbus.parse import parse_decimal, parse_domid
from xenbus.request import Control, GetQuota, Read
from xenbus.tree import owners, walk
from xenbus.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from xenbus.client import Store
    from xenbus.operations import Reply

_TEXT_MAX = 4096
_NOT_SET = 0xFFFFFFFF


class Usage(Value):
    """What one domain uses; None where the server does not tell."""

    domid: int
    name: str | None
    nodes: int
    watches: int | None = None
    transactions: int | None = None
    outstanding: int | None = None
    memory: int | None = None


def usage(store: Store) -> list[Usage]:
    """What each domain uses: as xenstored counts (``control quota DOMID``), else the nodes that it owns in the tree."""
    domids = {0, *_domains(store)}
    first = store.batch([Control("quota", 0)])[0]
    if isinstance(first, StoreError) or "nodes" not in numbers(first):
        return _counted(store, domids)
    order = sorted(domids)
    replies = store.batch([Control("quota", domid) for domid in order])
    names = _names(store, order)
    return [_told(domid, names[domid], reply) for domid, reply in zip(order, replies, strict=True)]


def limits(store: Store) -> dict[str, int]:
    """The quotas of a domain by name; none if the server does not tell."""
    reply = store.batch([Control("quota")])[0]
    return {} if isinstance(reply, StoreError) else numbers(reply)


def own_limits(store: Store, domids: Sequence[int]) -> dict[int, dict[str, int]]:
    """The quotas that differ from everybody's, of the domains that have some; none if the server does not tell."""
    common = limits(store)
    asked = [(domid, name) for domid in domids if domid for name in common]
    if not asked or isinstance(store.batch([GetQuota(*asked[0])])[0], StoreError):
        return {}
    found: dict[int, dict[str, int]] = {}
    for (domid, name), reply in zip(asked, store.batch([GetQuota(*each) for each in asked]), strict=True):
        if isinstance(reply, int) and reply not in (_NOT_SET, common[name]):
            found.setdefault(domid, {})[name] = reply
    return found


def numbers(text: str) -> dict[str, int]:
    """The lines ``name : number ...`` of xenstored's texts."""
    found = {}
    for line in text[:_TEXT_MAX].splitlines():
        name, _, rest = line.partition(":")
        number = parse_decimal((rest.split() or [""])[0])
        if number is not None:
            found[name.strip()] = number
    return found


def _domains(store: Store) -> list[int]:
    names = store.list_or_empty("/local/domain")
    return [domid for domid in map(parse_domid, names) if domid is not None]


def _names(store: Store, domids: list[int]) -> dict[int, str | None]:
    replies = store.batch([Read(f"/local/domain/{domid}/name") for domid in domids])
    return {domid: _text(reply) for domid, reply in zip(domids, replies, strict=True)}


def _text(reply: Reply) -> str | None:
    return reply.decode("utf-8", "replace") if isinstance(reply, bytes) else None


def _told(domid: int, name: str | None, reply: Reply) -> Usage:
    told = {} if isinstance(reply, StoreError) else numbers(reply)
    columns = ("watches", "transactions", "outstanding", "memory")
    return Usage(domid, name, told.get("nodes", 0), *(told.get(column) for column in columns))


def _counted(store: Store, domids: set[int]) -> list[Usage]:
    counts = owners(walk(store, perms=True))
    order = sorted({*domids, *counts})
    names = _names(store, order)
    return [Usage(domid, names[domid], counts.get(domid, 0)) for domid in order]
