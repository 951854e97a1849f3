"""The part of libxl's record that few guests have: policies, devices other than disks and vifs (libxl_types.idl)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from xenvm.guest.classes import (
        ChannelSpec,
        P9Spec,
        SoundDevice,
        SoundParams,
        SoundStream,
        VdisplSpec,
        VkbSpec,
        VsndSpec,
    )
    from xenvm.guest.jsontext import Json
    from xenvm.guest.spec import GuestSpec, VirtioSpec

    Entries = Iterator[tuple[str, Json]]

_VKB_FLAGS = ("disable_keyboard", "disable_pointer", "abs_pointer", "raw_pointer", "multi_touch")
_VKB_SIZES = ("width", "height", "multi_touch_width", "multi_touch_height", "multi_touch_num_contacts")


def extend(config: dict[str, Any], spec: GuestSpec) -> None:
    """Adds it to the record of a guest."""
    config["c_info"].update(_creation(spec))
    config["b_info"].update(_build(spec))
    config["b_info"]["sched_params"] = _scheduling(spec)
    config["b_info"]["arch_arm"].update(_arm(spec))
    config.update(_devices(spec))


def _creation(spec: GuestSpec) -> Entries:
    if spec.seclabel is not None:
        yield "ssid_label", spec.seclabel
    if spec.driver_domain:
        yield "driver_domain", "True"


def _build(spec: GuestSpec) -> Entries:
    if spec.init_seclabel is not None:
        yield "exec_ssid_label", spec.init_seclabel
    if spec.rtc_timeoffset is not None:
        yield "rtc_timeoffset", spec.rtc_timeoffset
    flags = (
        ("localtime", spec.localtime),
        ("disable_migrate", spec.nomigrate),
        ("vpmu", spec.vpmu or None),
        ("trap_unmapped_accesses", spec.trap_unmapped_accesses and None),
    )
    yield from ((key, str(flag)) for key, flag in flags if flag is not None)
    if spec.llc_colors:
        yield "llc_colors", list(spec.llc_colors)
    if spec.tee != "none":
        yield "tee", spec.tee
    if spec.xenstore_feature_mask is not None:
        yield "xenstore_feature_mask", spec.xenstore_feature_mask
    if spec.xenstore_quota:
        yield "xenstore_quota", {"quota": [{"name": name, "val": value} for name, value in spec.xenstore_quota]}
    yield from _bootloader(spec)


def _bootloader(spec: GuestSpec) -> Entries:
    boot = spec.bootloader
    if boot is None:
        return
    yield "bootloader", boot.program
    if boot.arguments:
        yield "bootloader_args", list(boot.arguments)
    if boot.user is not None:
        yield "bootloader_user", boot.user
    if boot.restrict:
        yield "bootloader_restrict", "True"


def _scheduling(spec: GuestSpec) -> Json:
    return {key: int(value) for key, value in spec.scheduling.as_dict().items() if value is not None}


def _arm(spec: GuestSpec) -> Entries:
    if spec.sve:
        yield "sve_vl", "hw" if spec.sve < 0 else str(spec.sve)
    if spec.arm_sci != "none":
        yield "arm_sci", {"type": spec.arm_sci}


def _devices(spec: GuestSpec) -> Iterator[tuple[str, list[Json]]]:
    """Lists of devices by their keys in the record; only those that the guest has."""
    lists: tuple[tuple[str, list[Json]], ...] = (
        ("vkbs", _numbered([dict(_vkb(vkb)) for vkb in spec.vkbs])),
        ("virtios", _numbered([dict(_virtio(virtio)) for virtio in spec.virtios])),
        ("p9s", _numbered([dict(_p9(p9)) for p9 in spec.p9s])),
        ("pvcallsifs", _numbered([dict(_backend(one.backend)) for one in spec.pvcalls])),
        ("vdispls", _numbered([dict(_vdispl(vdispl)) for vdispl in spec.vdispls])),
        ("vsnds", _numbered([dict(_vsnd(vsnd)) for vsnd in spec.vsnds])),
        ("channels", _numbered([dict(_channel(channel)) for channel in spec.channels])),
    )
    return ((key, found) for key, found in lists if found)


def _numbered(devices: list[dict[str, Json]]) -> list[Json]:
    return [{**device, "devid": number} for number, device in enumerate(devices)]


def _backend(backend: str) -> Entries:
    if backend != "0":
        yield "backend_domname", backend


def _channel(channel: ChannelSpec) -> Entries:
    yield from _backend(channel.backend)
    yield "name", channel.name
    yield f"connection.{channel.connection}", {} if channel.path is None else {"path": channel.path}


def _p9(p9: P9Spec) -> Entries:
    yield from _backend(p9.backend)
    yield from (("tag", p9.tag), ("path", p9.path), ("security_model", p9.security_model))
    if p9.type != "qemu":
        yield "type", p9.type
    for key in ("max_space", "max_files", "max_open_files"):
        if getattr(p9, key):
            yield key, getattr(p9, key)
    if p9.auto_delete:
        yield "auto_delete", True


def _vkb(vkb: VkbSpec) -> Entries:
    yield from _backend(vkb.backend)
    yield "backend_type", vkb.backend_type
    if vkb.unique_id is not None:
        yield "unique_id", vkb.unique_id
    yield from ((f"feature_{key}", True) for key in _VKB_FLAGS if getattr(vkb, key))
    yield from ((key, getattr(vkb, key)) for key in _VKB_SIZES if getattr(vkb, key))


def _virtio(virtio: VirtioSpec) -> Entries:
    yield from _backend(virtio.backend)
    yield "type", virtio.type
    yield "transport", "mmio"
    if virtio.grant_usage is not None:
        yield "grant_usage", str(virtio.grant_usage)


def _vdispl(vdispl: VdisplSpec) -> Entries:
    yield from _backend(vdispl.backend)
    if vdispl.be_alloc:
        yield "be_alloc", True
    yield (
        "connectors",
        [{"unique_id": some.unique_id, "width": some.width, "height": some.height} for some in vdispl.connectors],
    )


def _vsnd(vsnd: VsndSpec) -> Entries:
    yield from _backend(vsnd.backend)
    for key in ("short_name", "long_name"):
        if getattr(vsnd, key) is not None:
            yield key, getattr(vsnd, key)
    yield from _sound(vsnd.params)
    if vsnd.devices:
        yield "pcms", [dict(_sound_device(device)) for device in vsnd.devices]


def _sound_device(device: SoundDevice) -> Entries:
    if device.name is not None:
        yield "name", device.name
    yield from _sound(device.params)
    if device.streams:
        yield "streams", [dict(_stream(stream)) for stream in device.streams]


def _stream(stream: SoundStream) -> Entries:
    yield "unique_id", stream.unique_id
    yield "type", stream.type
    yield from _sound(stream.params)


def _sound(params: SoundParams) -> Entries:
    found: dict[str, Json] = {}
    if params.sample_rates:
        found["sample_rates"] = list(params.sample_rates)
    if params.sample_formats:
        found["sample_formats"] = list(params.sample_formats)
    found.update(
        (key, getattr(params, key)) for key in ("channels_min", "channels_max", "buffer_size") if getattr(params, key)
    )
    yield "params", found
