"""libxl's record of a guest's configuration, by which xl lists it whole and adds devices to it (libxl_types.idl).

As libxl does, what has its default is left out.
"""

from __future__ import annotations

from xenvm.guest.jsontext import text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from xenvm.guest.jsontext import Json
    from xenvm.guest.spec import DiskSpec, GuestSpec, NicSpec

_ALL_CPUS = 128
"""How many stand for all: libxl passes over those that a host does not have."""
_ACTIONS = {"rename-restart": "restart_rename"}
"""Where libxl's name is not the setting's with underscores."""
_NIC_KEYS = ("mtu", "vlan", "model", "mac", "ip", "bridge", "vifname", "script", "gatewaydev")


def record(spec: GuestSpec) -> str:
    """The text of ``libxl-json`` for a settled guest."""
    config: dict[str, Json] = {"c_info": _creation(spec), "b_info": _build(spec)}
    devices: list[tuple[str, list[Json]]] = [
        ("disks", [disk_entry(disk) for disk in spec.disks]),
        ("nics", [nic_entry(nic) for nic in spec.nics]),
        ("dtdevs", [{"path": path} for path in spec.dtdev]),
    ]
    config.update((key, some) for key, some in devices if some)
    for key in ("on_poweroff", "on_reboot", "on_watchdog", "on_crash", "on_soft_reset"):
        action = getattr(spec, key)
        if action != "destroy":
            config[key] = _ACTIONS.get(action, action.replace("-", "_"))
    if not spec.is_plain:
        from xenvm.guest import libxl_json_rare

        libxl_json_rare.extend(config, spec)
    return text(config)


def _creation(spec: GuestSpec) -> Json:
    found: dict[str, Json] = {"type": "pvh", "name": spec.name, "uuid": spec.uuid or "", "run_hotplug_scripts": "True"}
    if spec.pool is not None:
        found["pool_name"] = spec.pool
    if spec.passthrough != "default":
        found["passthrough"] = spec.passthrough
    return found


def _build(spec: GuestSpec) -> Json:
    found: dict[str, Json] = {"max_vcpus": spec.maxvcpus, "avail_vcpus": list(range(spec.vcpus))}
    for key, masks in (("vcpu_hard_affinity", spec.affinity.hard), ("vcpu_soft_affinity", spec.affinity.soft)):
        if any(mask is not None for mask in masks):
            found[key] = _cpu_maps(masks)
    found.update(_memory(spec))
    # Its default, but without it `xl mem-set` and `mem-max` end in an assertion, as they do on ARM guests of xl's own.
    found["acpi"] = "False"
    found["kernel"] = spec.kernel
    found.update((key, text) for key, text in (("cmdline", spec.cmdline), ("ramdisk", spec.ramdisk)) if text)
    if spec.device_tree is not None:
        found["device_tree"] = spec.device_tree
    if spec.irqs:
        found["irqs"] = list(spec.irqs)
    if spec.iomem:
        found["iomem"] = [{"start": some.start, "number": some.count, "gfn": some.gfn} for some in spec.iomem]
    found["sched_params"] = {}
    found["type.pvh"] = {}
    found["arch_arm"] = dict(_arm(spec))
    found["arch_x86"] = {}
    return found


def _cpu_maps(masks: tuple[frozenset[int] | None, ...]) -> Json:
    """One for each vCPU up to the last that is bound; libxl takes an empty one for no CPU at all."""
    last = max(number for number, mask in enumerate(masks) if mask is not None)
    return [list(range(_ALL_CPUS)) if mask is None else [*sorted(mask)] for mask in masks[: last + 1]]


def _memory(spec: GuestSpec) -> Iterator[tuple[str, Json]]:
    yield "max_memkb", spec.maxmem
    yield "target_memkb", spec.memory
    yield "video_memkb", 0
    if spec.shadow_memory is not None:
        yield "shadow_memkb", spec.shadow_memory
    for key in ("max_grant_frames", "max_maptrack_frames"):
        if getattr(spec, key) >= 0:
            yield key, getattr(spec, key)
    if spec.max_event_channels != 1023:
        yield "event_channels", spec.max_event_channels


def _arm(spec: GuestSpec) -> Iterator[tuple[str, Json]]:
    if spec.gic_version != "default":
        yield "gic_version", spec.gic_version
    if spec.vuart:
        yield "vuart", "sbsa_uart"
    if spec.nr_spis is not None:
        yield "nr_spis", spec.nr_spis


def disk_entry(disk: DiskSpec) -> Json:
    """One of ``disks``."""
    return dict(_disk(disk))


def nic_entry(nic: NicSpec) -> Json:
    """One of ``nics``."""
    return dict(_nic(nic))


def _disk(disk: DiskSpec) -> Iterator[tuple[str, Json]]:
    if disk.backend != "0":
        yield "backend_domname", disk.backend
    if disk.target:
        yield "pdev_path", disk.target
    yield "vdev", disk.vdev
    if disk.backendtype is not None:
        yield "backend", disk.backendtype
    yield "format", disk.format or "empty"
    if disk.script is not None:
        yield "script", disk.script
    for key, flag in (("removable", disk.removable), ("readwrite", disk.readwrite), ("is_cdrom", disk.cdrom)):
        if flag:
            yield key, 1
    if disk.direct_io_safe:
        yield "direct_io_safe", True
    if disk.specification != "xen":
        yield "specification", disk.specification
    if disk.discard is not None:
        yield "discard_enable", str(disk.discard)
    if disk.trusted is not None:
        yield "trusted", str(disk.trusted)


def _nic(nic: NicSpec) -> Iterator[tuple[str, Json]]:
    if nic.backend != "0":
        yield "backend_domname", nic.backend
    yield "devid", nic.devid
    for key in _NIC_KEYS:
        value = getattr(nic, key)
        if value is not None:
            yield "ifname" if key == "vifname" else key, value
    yield "nictype", "vif"
    if nic.rate is not None:
        yield "rate_bytes_per_interval", nic.rate[0]
        yield "rate_interval_usecs", nic.rate[1]
    if nic.trusted is not None:
        yield "trusted", str(nic.trusted)
