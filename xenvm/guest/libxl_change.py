"""Changes of libxl's record of a guest while it runs, and what the record says when the guest is made again.

xl changes the record too (block-attach, network-attach, mem-set), so a restart goes by it and not by memory.
"""

from __future__ import annotations

from xenvm.errors import ConfigError
from xenvm.guest import jsontext
from xenvm.guest.disk import vdev_to_devid
from xenvm.guest.libxl_json import disk_entry, nic_entry
from xenvm.guest.spec import DiskSpec, NicSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from xenvm.guest.spec import GuestSpec

_LISTS = {"vbd": "disks", "vif": "nics"}
_NIC_TEXTS = ("bridge", "gatewaydev", "ip", "script", "vifname", "vlan")


def add(record: str, device: DiskSpec | NicSpec) -> str:
    """The record with one device more, in the place of one with the same number; ValueError if it is no record."""
    kind, entry = ("vbd", disk_entry(device)) if isinstance(device, DiskSpec) else ("vif", nic_entry(device))
    config = _parsed(record)
    others = [other for other in _entries(config, kind) if _number(kind, other) != device.devid]
    config[_LISTS[kind]] = [*others, entry]
    return jsontext.text(config)


def remove(record: str, kind: str, devid: int) -> str:
    """The record without a device of the kind ``vbd`` or ``vif``; other kinds are not in it by number."""
    if kind not in _LISTS:
        return record
    config = _parsed(record)
    left = [entry for entry in _entries(config, kind) if _number(kind, entry) != devid]
    config.pop(_LISTS[kind], None)
    if left:
        config[_LISTS[kind]] = left
    return jsontext.text(config)


def resize(record: str, key: str, size: int) -> str:
    """The record with another ``target_memkb`` or ``max_memkb``."""
    config = _parsed(record)
    build = config.setdefault("b_info", {})
    if not isinstance(build, dict):
        raise ValueError("its b_info is no object")
    build[key] = size
    return jsontext.text(config)


def with_devices(spec: GuestSpec, record: str) -> GuestSpec:
    """The guest with the disks and vifs that the record has; ValueError if it is no record.

    What was in the configuration is taken from there: it says more than the record does.
    """
    config = _parsed(record)
    disks = {disk.devid: disk for disk in spec.disks}
    nics = {nic.devid: nic for nic in spec.nics}
    return spec.replace(
        disks=tuple(_disk(entry, disks) for entry in _entries(config, "vbd") if _number("vbd", entry) is not None),
        nics=tuple(_nic(entry, nics) for entry in _entries(config, "vif") if _number("vif", entry) is not None),
    )


def _parsed(record: str) -> dict[str, Any]:
    config = jsontext.parse(record)
    if not isinstance(config, dict):
        raise ValueError("it is no object")
    return config


def _entries(config: dict[str, Any], kind: str) -> Iterable[dict[str, Any]]:
    found = config.get(_LISTS[kind], [])
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def _number(kind: str, entry: dict[str, Any]) -> int | None:
    """The device's number; None if it says none that makes sense."""
    if kind == "vif":
        devid = entry.get("devid", 0)
        return devid if isinstance(devid, int) and devid >= 0 else None
    try:
        return vdev_to_devid(str(entry.get("vdev", "")))
    except ConfigError:
        return None


def _text(entry: dict[str, Any], key: str) -> str | None:
    value = entry.get(key)
    return value if isinstance(value, str) and value else None


def _disk(entry: dict[str, Any], known: dict[int, DiskSpec]) -> DiskSpec:
    devid, target = _number("vbd", entry) or 0, _text(entry, "pdev_path") or ""
    same = known.get(devid)
    if same is not None and same.target == target:
        return same
    return DiskSpec(
        target,
        str(entry["vdev"]),
        devid,
        format=_text(entry, "format") or "raw",
        readwrite=bool(entry.get("readwrite")),
        cdrom=bool(entry.get("is_cdrom")),
        removable=bool(entry.get("removable")),
        backendtype=_text(entry, "backend"),
        script=_text(entry, "script"),
        backend=_text(entry, "backend_domname") or "0",
        discard={"True": True, "False": False}.get(str(entry.get("discard_enable"))),
        direct_io_safe=bool(entry.get("direct_io_safe")),
        specification=_text(entry, "specification") or "xen",
    )


def _nic(entry: dict[str, Any], known: dict[int, NicSpec]) -> NicSpec:
    devid, mac = _number("vif", entry) or 0, _text(entry, "mac")
    same = known.get(devid)
    if same is not None and same.mac == mac:
        return same
    rate = entry.get("rate_bytes_per_interval"), entry.get("rate_interval_usecs")
    texts: dict[str, Any] = {key: _text(entry, "ifname" if key == "vifname" else key) for key in _NIC_TEXTS}
    return NicSpec(
        devid,
        mac,
        backend=_text(entry, "backend_domname") or "0",
        rate=(rate[0], rate[1]) if isinstance(rate[0], int) and isinstance(rate[1], int) else None,
        mtu=entry["mtu"] if isinstance(entry.get("mtu"), int) else None,
        **texts,
    )
