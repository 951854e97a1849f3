"""Changes of a running guest's own nodes: all at once, and never for a guest that has just gone."""

from __future__ import annotations

from xenvm.errors import NoSuchDomain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xenbus.request import Request
    from xenbus.transaction import Transaction
    from xenvm.host.open import Host
    from xenvm.types import Domid


def change(host: Host, domid: Domid, requests: Callable[[Transaction], Sequence[Request]]) -> None:
    """Does the `requests` in one transaction; NoSuchDomain if the guest has gone: nothing of it must come back."""

    def body(tx: Transaction) -> Sequence[Request]:
        if tx.read_or_none(f"/local/domain/{domid}/name") is None:
            raise NoSuchDomain(domid)
        return requests(tx)

    host.store.transact(body)
