"""block-attach, block-list, block-detach, and the same for network: the devices of guests that run."""

from __future__ import annotations

import sys

from xenbus.parse import parse_state
from xenvm.cli import run
from xenvm.cli.run import open_host, usage
from xenvm.ops import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenvm.guest.spec import NicSpec
    from xenvm.ops.devices import Attached

BLOCK_HEADER = f"{'Vdev':<5} {'BE':<3} {'handle':<6} {'state':<5} {'evt-ch':<6} {'ring-ref':<8} {'BE-path':<30}"
NETWORK_HEADER = (
    f"{'Idx':<3} {'BE':<2} {'Mac Addr.':<17} {'handle':<6} {'state':<5} {'evt-ch':<6} {'tx-':>5}/{'rx-ring-ref':<5}"
    f" {'BE-path':<30}"
)


def block_attach(domain: str, disk: tuple[str, ...], hotplug_scripts: bool) -> int:
    """Gives a running guest a disk."""
    from xenvm.guest.disk import parse_disk

    if not disk:
        return usage("block-attach needs a disk, such as /srv/disk.img,raw,xvdb,rw")
    spec = parse_disk(disk, source="block-attach")
    from xenvm.guest.blueprint import located_disk
    from xenvm.ops.attach import attach_disk
    from xenvm.ops.signals import Endings

    with open_host() as host, Endings():
        attach_disk(host, names.find_guest(host, domain), located_disk(spec), use_scripts=hotplug_scripts)
    return 0


def network_attach(domain: str, vif: tuple[str, ...], hotplug_scripts: bool) -> None:
    """Gives a running guest a vif."""
    from xenvm.guest.vif import parse_vif
    from xenvm.ops.attach import CHOOSE, attach_nic
    from xenvm.ops.signals import Endings

    warnings: list[str] = []
    spec = parse_vif(vif, CHOOSE, source="network-attach", warnings=warnings)
    for warning in warnings:
        print(f"xenvm: {warning}", file=sys.stderr)
    spec = with_host_defaults(spec)
    with open_host() as host, Endings():
        attach_nic(host, names.find_guest(host, domain), spec, use_scripts=hotplug_scripts)


def with_host_defaults(nic: NicSpec) -> NicSpec:
    """A vif with what the host's xl.conf says where it says nothing itself."""
    from xenvm.host.open import xl_conf

    path, data = xl_conf(run.chosen_host)
    if not data:
        return nic
    from xenvm.guest.hostconf import nic_with_defaults, parse_conf

    return nic_with_defaults(nic, parse_conf(data, path))


def block_detach(domain: str, device: str, force: bool) -> None:
    """Takes a disk from a running guest."""
    _detach(domain, "vbd", device, force)


def network_detach(domain: str, device: str, force: bool) -> None:
    """Takes a vif from a running guest."""
    _detach(domain, "vif", device, force)


def _detach(domain: str, kind: str, device: str, force: bool) -> None:
    from xenvm.ops.detach import detach
    from xenvm.ops.devices import find_disk, find_nic

    with open_host() as host:
        info = names.find_guest(host, domain)
        detach(host, info, (find_disk if kind == "vbd" else find_nic)(host, info.domid, device), force=force)


def block_list(domains: tuple[str, ...], as_json: bool) -> int:
    """Lists the disks of guests in xl's columns, or as JSON."""
    return _list("block-list", domains, as_json, "vbd", BLOCK_HEADER, _block_row)


def network_list(domains: tuple[str, ...], as_json: bool) -> int:
    """Lists the vifs of guests in xl's columns, or as JSON."""
    return _list("network-list", domains, as_json, "vif", NETWORK_HEADER, _network_row)


def _list(
    command: str, domains: tuple[str, ...], as_json: bool, kind: str, header: str, row: Callable[[Attached], str]
) -> int:
    from xenvm.ops.devices import of_kind

    if not domains:
        return usage(f"{command} needs a domain")
    with open_host() as host:
        found = [device for who in domains for device in of_kind(host, names.find(host, who).domid, kind)]
    if as_json:
        import json

        print(json.dumps({"version": 1, "devices": list(map(_object, found))}, indent=2))
    else:
        print("\n".join([header, *map(row, found)]))
    return 0


def _block_row(device: Attached) -> str:
    record = device.record
    state, port, reference = map(_shown, device.front.values())
    return (
        f"{record.devid:<5} {record.backend_domid:<3} {record.domid:<6} {state:<5} {port:<6} {reference:<8}"
        f" {record.backend:<30}"
    )


def _network_row(device: Attached) -> str:
    record = device.record
    state, port, tx, rx = map(_shown, device.front.values())
    mac = record.facts.get("mac", "00:00:00:00:00:00")
    return (
        f"{record.devid:<3} {record.backend_domid:<2} {mac}{record.devid:6} {state:5} {port:6} {tx:5}/{rx:<11}"
        f" {record.backend:<30}"
    )


def _shown(number: int | None) -> int:
    """As xl shows what the guest's end does not tell."""
    return -1 if number is None else number


def _object(device: Attached) -> dict[str, object]:
    record = device.record
    wanted = ("dev", "params", "mode") if record.kind == "vbd" else ("mac", "bridge", "vifname", "ip")
    return {
        "domid": record.domid,
        "devid": record.devid,
        **{key: record.facts.get(key) for key in wanted},
        "script": record.facts.get("script"),
        "backend_domid": record.backend_domid,
        "backend": record.backend,
        "backend_state": parse_state(record.state),
        "frontend": record.frontend,
        **{f"frontend_{key.replace('-', '_')}": number for key, number in device.front.items()},
    }
