"""libxl's record of a running guest, changed with the guest: xl lists it by this, and a restart goes by it.

The caller of `change` holds the guest's lock (detach.guest_lock). A guest without such a record, or with one that
makes no sense, is left without: its devices work all the same.
"""

from __future__ import annotations

from xenvm.guest import libxl_change

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenvm.guest.spec import DiskSpec, NicSpec
    from xenvm.host.hyper import DomainInfo
    from xenvm.host.open import Host
    from xenvm.types import KiB


def change(host: Host, info: DomainInfo, edit: Callable[[str], str]) -> None:
    """Replaces the record by what `edit` makes of it."""
    userdata = host.plumbing.userdata.UserData(info.domid, info.uuid)
    record = userdata.read_config()
    if record is None:
        return
    try:
        changed = edit(record)
    except ValueError:
        return
    userdata.write_config(changed)


def add(host: Host, info: DomainInfo, device: DiskSpec | NicSpec) -> None:
    """The guest has this device now."""
    change(host, info, lambda record: libxl_change.add(record, device))


def remove(host: Host, info: DomainInfo, kind: str, devid: int) -> None:
    """The guest has this device no more."""
    change(host, info, lambda record: libxl_change.remove(record, kind, devid))


def resize(host: Host, info: DomainInfo, key: str, size: KiB) -> None:
    """The guest's ``target_memkb`` or ``max_memkb`` is another; takes the guest's lock."""
    from xenvm.ops.detach import guest_lock

    with guest_lock(host, info.domid, info.uuid):
        change(host, info, lambda record: libxl_change.resize(record, key, size))
