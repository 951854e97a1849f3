"""Replaces what a running guest is made from when it is made again (`xl config-update`)."""

from __future__ import annotations

from xenvm.errors import DomainError
from xenvm.guest.blueprint import located, settled
from xenvm.ops import memo as memos

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.guest.spec import GuestSpec, NicSpec
    from xenvm.host.hyper import DomainInfo
    from xenvm.host.open import Host


def replace_config(host: Host, info: DomainInfo, spec: GuestSpec) -> None:
    """Keeps `spec` for the guest's next start, in the place of what it is now; its name and uuid stay its own.
    DomainError: xenvm did not create it."""
    memo = memos.read(host, info.domid, info.uuid)
    if memo is None:
        raise DomainError(f"domain {info.domid} was not created by xenvm: whoever did makes it again")
    before = {nic.devid: nic for nic in memos.current(host, info, memo).nics}
    nics = tuple(_with_mac(nic, before.get(nic.devid)) for nic in spec.nics)
    kept = located(settled(spec.replace(nics=nics, uuid=info.uuid, name=memo.spec.name)))
    memos.write(host, info.domid, info.uuid, memo.replace(spec=kept, updated=True))


def _with_mac(nic: NicSpec, before: NicSpec | None) -> NicSpec:
    """A vif that names no address keeps the one that it has: guests know their vifs by it."""
    return nic.replace(mac=before.mac) if nic.mac is None and before is not None else nic
