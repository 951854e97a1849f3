"""channel-list, device-attach, device-list, device-detach: devices of every class."""

from __future__ import annotations

from xenbus.bus import state_name
from xenbus.parse import parse_state, parse_text
from xenvm.cli.run import open_host, usage
from xenvm.errors import DeviceError
from xenvm.ops import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenvm.guest.nodes import Device
    from xenvm.host.open import Host
    from xenvm.ops.devices import Attached

CHANNEL_HEADER = f"{'Idx':<3} {'BE':<2} {'state':<5} {'evt-ch':<6} {'ring-ref':>8} {'connection':<10} {'':<30}"
DEVICE_HEADER = f"{'Class':<8} {'Idx':<6} {'BE':<3} {'guest':<14} {'back end':<14} BE-path"


def device_attach(domain: str, kind: str, values: tuple[str, ...]) -> int:
    """Gives a running guest a device of any class."""
    given = dict(value.partition("=")[::2] for value in values)
    wrong = next((value for value in values if "=" not in value), None)
    if wrong is not None or len(given) < len(values):
        return usage(f"device-attach takes KEY=VALUE, each key once, not {wrong or ' '.join(values)}")
    return attach(domain, kind, given)


def attach(domain: str, kind: str, given: dict[str, str], *, wait: bool = True) -> int:
    """Gives a running guest a device by the values of its nodes, and devid, backend and backend-kind among them."""
    from xenvm.guest.class_nodes import any_device
    from xenvm.ops.attach import CHOOSE
    from xenvm.ops.attach_class import attach_device
    from xenvm.ops.signals import Endings
    from xenvm.types import Domid

    chosen, backend, back_kind = given.pop("devid", ""), given.pop("backend", ""), given.pop("backend-kind", "")
    if chosen and not (chosen.isascii() and chosen.isdecimal() and len(chosen) < 10):
        return usage(f"devid={chosen}: the number of a device is decimal")
    if back_kind and not back_kind.replace("_", "").replace("-", "").isalnum():
        return usage(f"backend-kind={back_kind}: a kind is a name such as qdisk")
    devid = int(chosen) if chosen else CHOOSE
    with open_host() as host, Endings():
        info, served = names.find_guest(host, domain), Domid(names.find(host, backend or "0").domid)

        def make(number: int) -> Device:
            return any_device(kind, number, info.domid, given, back_kind=back_kind, backend=served)

        attach_device(host, info, kind, make, devid, wait=wait)
    return 0


def device_detach(domain: str, kind: str, device: str, force: bool) -> None:
    """Takes a device from a running guest."""
    from xenvm.ops.detach import detach
    from xenvm.ops.devices import find_device

    with open_host() as host:
        info = names.find_guest(host, domain)
        record = find_device(host, info.domid, kind, device)
        if (kind, device) in (("console", "0"), ("vuart", "0")):
            raise DeviceError(record.name, "the console daemon serves it as long as the guest lives")
        detach(host, info, record, force=force)


def device_list(domains: tuple[str, ...], as_json: bool) -> int:
    """Lists all devices of guests."""
    return _list("device-list", domains, as_json, DEVICE_HEADER)


def channel_list(domains: tuple[str, ...], as_json: bool) -> int:
    """Lists the channels of guests in xl's columns, or as JSON."""
    return _list("channel-list", domains, as_json, CHANNEL_HEADER)


def listing(domains: tuple[str, ...], as_json: bool, kind: str, header: str, row: Callable[[Attached], str]) -> int:
    """Lists the guests' devices of one class."""
    from xenvm.ops.devices import of_kind

    if not domains:
        return usage("which domain's devices are to be listed?")
    with open_host() as host:
        found = [device for who in domains for device in of_kind(host, names.find(host, who).domid, kind)]
    _show(found, as_json, [header, *map(row, found)])
    return 0


def _list(command: str, domains: tuple[str, ...], as_json: bool, header: str) -> int:
    from xenvm.ops.devices import of_guest

    if not domains:
        return usage(f"{command} needs a domain")
    channels = command == "channel-list"
    with open_host() as host:
        found = [device for who in domains for device in of_guest(host, names.find(host, who).domid)]
        found = [device for device in found if not channels or "name" in device.record.facts]
        ttys = _ttys(host, found) if channels else {}
    rows = [_channel_row(device, ttys) if channels else device_row(device) for device in found]
    _show(found, as_json, [header, *rows])
    return 0


def _show(found: list[Attached], as_json: bool, lines: list[str]) -> None:
    if as_json:
        import json

        print(json.dumps({"version": 1, "devices": list(map(_object, found))}, indent=2))
    else:
        print("\n".join(lines))


def _ttys(host: Host, found: list[Attached]) -> dict[str, str]:
    """The terminals of channels by their front ends. A node that the guest has made there itself says nothing."""
    from xenbus.request import GetPerms, Read

    paths = [device.record.frontend for device in found]
    replies = host.store.batch([request(f"{path}/tty") for path in paths for request in (Read, GetPerms)])
    return {
        path: _terminal(value, perms) for path, value, perms in zip(paths, replies[0::2], replies[1::2], strict=True)
    }


def _terminal(value: object, perms: object) -> str:
    ours = isinstance(value, bytes) and isinstance(perms, tuple) and not perms[0].domid
    return (parse_text(value) or "") if ours and isinstance(value, bytes) else ""


def _channel_row(device: Attached, ttys: dict[str, str]) -> str:
    record = device.record
    state, port, reference = (-1 if number is None else number for number in device.front.values())
    connection = record.facts.get("connection", "unknown")
    path = record.facts.get("path", "") if connection == "socket" else ttys[record.frontend]
    # xl counts channels, and so from 0; the console of the same number is the primary one.
    row = f"{record.devid - 1:<3} {record.backend_domid:<2} {state:<5} {port:<6} {reference:<8} {connection:<10}"
    return f"{row} {path:<30} "


def device_row(device: Attached) -> str:
    """A device of any class, for people."""
    record, own = device.record, device.front["state"]
    guest, back = state_name(own or 0), state_name(parse_state(record.state))
    return f"{record.kind:<8} {record.devid:<6} {record.backend_domid:<3} {guest:<14} {back:<14} {record.backend}"


def _object(device: Attached) -> dict[str, object]:
    record = device.record
    return {
        "domid": record.domid,
        "class": record.kind,
        "devid": record.devid,
        "backend_domid": record.backend_domid,
        "backend_kind": record.back_kind,
        "backend": record.backend,
        "backend_state": parse_state(record.state),
        "frontend": record.frontend,
        **{f"frontend_{key.replace('-', '_')}": number for key, number in device.front.items()},
        **{key: value for key, value in record.facts.items() if key != "backend"},
    }
