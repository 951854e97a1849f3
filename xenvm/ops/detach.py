"""A device off a guest that runs: in order, with the guest's consent, or by force.

In order the back end says Closing, the guest's driver lets go, the back end closes (public/io/xenbus.h). By force the
guest's end is removed first: the back end of a front end that is gone closes at once.
"""

from __future__ import annotations

from xenbus import bus
from xenbus.frugal import Deferred
from xenbus.path import parent
from xenbus.request import Discard, Read, Write
from xenvm.errors import DeviceError, NoSuchDomain
from xenvm.ops import xlrecord
from xenvm.ops.close import await_closed, discard_empty, state_path
from xenvm.ops.names import names
from xenvm.ops.records import belongings, known
from xenvm.ops.unplumb import unplumb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenbus.request import Request
    from xenbus.transaction import Transaction
    from xenvm.host.hyper import DomainInfo
    from xenvm.host.open import Host
    from xenvm.host.plumbing.locks import FileLock
    from xenvm.ops import backends
    from xenvm.ops.records import Record
    from xenvm.types import Domid
else:
    backends = Deferred("xenvm.ops.backends")  # for devices that other domains serve

CLOSE_SECONDS = 10.0
"""How long both ends may take to close, as in libxl."""
_NEVER_SERVED = "1"
_START_SECONDS = 1.0
"""How long a back end may take that has not begun: there may be none."""


def guest_lock(host: Host, domid: Domid, uuid: str) -> FileLock:
    """libxl's lock over a guest's devices; NoSuchDomain if the guest has gone meanwhile."""
    return host.plumbing.userdata.UserData(domid, uuid).lock(lambda: host.hyper.domain(domid) is not None)


def detach(host: Host, info: DomainInfo, device: Record, *, force: bool = False, seconds: float | None = None) -> None:
    """Takes a device from a guest; DeviceError if the guest does not let go in time, unless it is forced to."""
    host.store.transact(lambda tx: _farewell(tx, device, force))
    if not (device.backend_domid and backends.failing(host, device.backend_domid)):
        _await_end(host, device, force, seconds)
    with guest_lock(host, info.domid, info.uuid):
        _clear_away(host, device)
        xlrecord.remove(host, info, device.kind, device.devid)


def _await_end(host: Host, device: Record, force: bool, seconds: float | None) -> None:
    """Waits for both ends to close, and for another domain to take its one apart."""
    with host.store.follow([state_path(device)]) as follower:
        usual = min(_START_SECONDS, CLOSE_SECONDS) if device.state == _NEVER_SERVED and force else CLOSE_SECONDS
        deadline = host.store.clock() + (usual if seconds is None else seconds)
        still_open = await_closed(host, follower, device, deadline)
    if still_open and not force:
        raise _held(host, device)
    if device.backend_domid and not still_open:
        trouble = backends.await_cleared(host, device, host.store.clock())
        if trouble and not force:
            raise DeviceError(device.name, f"{trouble} --force takes it away all the same")


def remove(host: Host, info: DomainInfo, kind: str, devid: int) -> list[str]:
    """Removes whatever there is of a device by force; returns sentences about what would not go."""
    troubles: list[str] = []
    for device in belongings(host, info.domid).devices:
        if (device.kind, device.devid) == (kind, devid):
            try:
                detach(host, info, device, force=True)
            except NoSuchDomain:
                pass  # Whoever ends the guest takes its devices away.
            except DeviceError as error:
                troubles.append(str(error))
    return troubles


def _farewell(tx: Transaction, device: Record, force: bool) -> list[Request]:
    """Tells the back end to close. Nothing of a device that has gone meanwhile is made anew."""
    state = tx.read_or_none(state_path(device))
    requests: list[Request] = [Discard(device.frontend)] if force else []
    if state is not None:
        requests.append(Write(f"{device.backend}/online", "0"))
        if not bus.is_closed(state):
            requests.append(Write(state_path(device), "5"))
    return requests


def _held(host: Host, device: Record) -> DeviceError:
    """Who does not let go: the guest if its end is not closed, else the back end."""
    front, back = map(host.store.read_or_none, (f"{device.frontend}/state", state_path(device)))
    name = names(host, [device.domid])[device.domid] or f"domain {device.domid}"
    guest = f"its end is {bus.state_name(bus.parse_state(front))}, the back end {bus.state_name(bus.parse_state(back))}"
    holder = "the back end" if bus.is_closed(front) else name
    return DeviceError(device.name, f"{holder} did not let go of it: {guest}; --force takes it away all the same")


def _clear_away(host: Host, device: Record) -> None:
    """Frees the loop device or runs the script, then removes the nodes, which the script reads; the device stays
    recorded if that fails, so that it can be tried again."""
    paths = f"/local/domain/{device.domid}/name", f"{device.path}/backend"
    guest, record = map(known, host.store.batch([Read(path) for path in paths]))
    if guest is None:
        raise NoSuchDomain(device.domid)  # It may have the device again after a reboot.
    if record is None:
        return  # Somebody else took it away as well, and was faster.
    unplumb(host, device)
    host.store.transact(lambda tx: _remove_nodes(tx, device))


def _remove_nodes(tx: Transaction, device: Record) -> list[Request]:
    """Both ends and the record, and the directories that are empty without them.

    The back end goes first: a program that hears of the front end's end before, as xen-9pfsd, writes a last state.
    """
    tx.batch_checked([Discard(path) for path in (device.backend, device.frontend, device.path)])
    guest, kind = parent(device.backend), parent(parent(device.backend))
    home = [parent(parent(kind))] if device.backend_domid else []  # nothing is in it if that domain has gone
    return discard_empty(tx, [parent(device.frontend), parent(device.path), guest, kind, parent(kind), *home])
