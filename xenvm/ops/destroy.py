"""The end of a domain: its devices, its nodes, its memory. Also what every failed creation converges to.

Idempotent: whatever part of the domain is missing already is passed over.
"""

from __future__ import annotations

import errno
import time

from xenbus import bus
from xenbus.errors import StoreTimeout
from xenbus.request import List, Read, Remove, Write
from xenvm.errors import DeviceError, HypercallError
from xenvm.host.plumbing.domids import remember
from xenvm.host.plumbing.userdata import UserData
from xenvm.ops.plumb import unplumb
from xenvm.ops.records import CONSOLES, records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from xenbus.transaction import Transaction
    from xenvm.host.open import Host
    from xenvm.ops.records import Record
    from xenvm.types import Domid

CLOSE_SECONDS = 10.0
"""How long a back end may take to close, as in libxl."""
GONE_SECONDS = 5.0
"""How long other daemons may hold pages of a dead domain before it is called a zombie."""


def destroy(host: Host, domid: Domid, uuid: str) -> list[str]:
    """Ends a domain and removes all that belongs to it; returns sentences about what would not go."""
    troubles: list[str] = []
    _ignoring_absence(lambda: host.hyper.pause(domid))
    devices = records(host, domid)
    vm = _vm_path(host, domid, uuid)
    remember(domid)
    closing = [device for device in devices if device.kind not in CONSOLES and device.state]
    with host.store.follow(["@releaseDomain"]) as death:
        _close_back_ends(host, closing, lambda: _ignoring_absence(lambda: host.hyper.destroy(domid)), troubles)
        for device in closing:
            _unplumb(host, device, troubles)
        _remove_nodes(host, domid, vm, devices)
        UserData(domid, uuid).delete_all()
        try:
            death.wait(
                lambda _: host.hyper.domain(domid) is None, time.monotonic() + GONE_SECONDS, f"domain {domid} to go"
            )
        except StoreTimeout:
            troubles.append(f"domain {domid} is dead, but some of its pages are still held by another domain")
    return troubles


def _ignoring_absence(call: Callable[[], object]) -> None:
    try:
        call()
    except HypercallError as error:
        if error.errno != errno.ESRCH:
            raise


def _vm_path(host: Host, domid: Domid, uuid: str) -> str:
    """The domain's /vm directory: not that of its uuid where a successor has taken that over."""
    text = (host.store.read_or_none(f"/local/domain/{domid}/vm") or b"").decode("ascii", "replace")
    named, _, own = text.rpartition("/")
    return text if named == "/vm" and len(own) == len(uuid) else f"/vm/{uuid}"


def _close_back_ends(host: Host, closing: list[Record], meanwhile: Callable[[], None], troubles: list[str]) -> None:
    """Removes the front ends and lets the back ends close while the domain's memory is given back.

    The order inside the one transaction matters: a back end that finds itself Closing and its front end gone
    unregisters and ends in Closed; with the front end still there it would wait for it.
    """
    if not closing:
        meanwhile()
        return
    requests: list[Remove | Write] = [Remove(device.frontend) for device in closing]
    for device in closing:
        requests.append(Write(f"{device.backend}/online", "0"))
        if device.state != "6":
            requests.append(Write(f"{device.backend}/state", "5"))
    host.store.transact(requests)
    states = {f"{device.backend}/state": device for device in closing}
    with host.store.follow(list(states)) as follower:
        meanwhile()
        try:
            follower.wait(_all_closed, time.monotonic() + CLOSE_SECONDS, "the back ends to close")
        except StoreTimeout:
            stuck = [device for path, device in states.items() if not bus.is_closed(follower.values[path])]
            troubles += [f"the back end of {device.name} did not close: {device.backend}" for device in stuck]


def _all_closed(values: Mapping[str, bytes | None]) -> bool:
    return all(map(bus.is_closed, values.values()))


def _unplumb(host: Host, device: Record, troubles: list[str]) -> None:
    try:
        unplumb(host, device)
    except DeviceError as error:
        troubles.append(str(error))


def _remove_nodes(host: Host, domid: Domid, vm: str, devices: list[Record]) -> None:
    """All nodes of the domain, and the back ends' directories that are empty without it, in one transaction."""
    own = [f"/local/domain/{domid}", f"/libxl/{domid}", vm]
    kinds = sorted({device.backend.rpartition(f"/{domid}/")[0] for device in devices})
    parents = sorted({kind.rpartition("/")[0] for kind in kinds})

    def requests(tx: Transaction) -> list[Remove]:
        asked = [*(Read(path) for path in own), *(List(path) for path in kinds + parents)]
        replies = tx.batch(asked)
        doomed = [path for path, reply in zip(own, replies, strict=False) if isinstance(reply, bytes)]
        children = dict(zip(kinds + parents, replies[len(own) :], strict=True))
        for path in kinds:
            if isinstance(children[path], tuple):
                doomed.append(path if children[path] == (str(domid),) else f"{path}/{domid}")
        for path in parents:
            listing = children[path]
            if isinstance(listing, tuple) and all(f"{path}/{child}" in doomed for child in listing):
                doomed.append(path)
        return [Remove(path) for path in doomed]

    host.store.transact(requests, checked=False)
