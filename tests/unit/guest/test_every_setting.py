"""Every key that xl looks up: used, warned about or refused, as its class says, shown on a value that asks for it."""

from __future__ import annotations

import pytest

from xenvm.guest.cfg import ConfigErrors
from xenvm.guest.load import load_text
from xenvm.guest.settings import documentation, find
from xenvm.guest.spec import GuestSpec

BASE = "name='g'\nkernel='/k'\nvcpus=2\n"

USED = """
must: name='h' | uuid='00112233-4455-6677-8899-aabbccddeeff' | on_poweroff='restart' | on_reboot='destroy'
must: on_watchdog='restart' | on_crash='restart' | passthrough='disabled' | kernel='/l' | ramdisk='/r' | cmdline='a'
must: root='/dev/xvda' | extra='a' | device_tree='/t' | vcpus=3 | maxvcpus=4 | cpus='0' | cpus_soft=['0'] | memory=64
must: maxmem=64 | max_grant_frames=5 | max_maptrack_frames=5 | max_event_channels=5 | gic_version='v2'
must: vuart='sbsa_uart' | dtdev=['/soc/x'] | iomem=['1,1'] | irqs=[40] | disk=['/a,,xvda'] | vif=['']
must: channel=['name=a,connection=pty']
should: on_soft_reset='destroy' | pool='p' | seclabel='a:b:c' | init_seclabel='a:b:c' | driver_domain=1
should: xenstore_feature_mask=1 | xenstore_quota=['nodes=1'] | bootloader='b' | claim=1 | cpu_weight=5 | cap=5
should: bootloader_args=['b'] | bootloader_user='b' | bootloader_restrict=1
should: shadow_memory=5 | llc_colors=['1'] | max_grant_version=2 | vpmu=1 | nr_spis=5 | tee='optee' | sve='hw'
should: arm_sci='type=scmi_smc' | trap_unmapped_accesses=0 | virtio=['type=virtio,device22,transport=mmio']
should: p9=['tag=t,path=/p,security_model=none'] | vkb=['backend-type=linux'] | vdispl=['connectors=a:1x1']
should: vsnd=[['card']]
nice: nomigrate=1 | localtime=1 | rtc_timeoffset=5 | period=50 | slice=5 | latency=5 | extratime=0 | pvcalls=['']
"""
WARNED = """
must: builder='generic'
no: firmware='ovmf' | vnuma=[['pnode=0']] | altp2mhvm=1 | vif2=['x'] | device_model='x' | dm_restrict=1
no: device_model_stubdomain_override=1 | device_model_stubdomain_seclabel='x' | stubdomain_memory=5
no: stubdomain_kernel='x' | stubdomain_ramdisk='x' | stubdomain_cmdline='x' | device_model_user='x'
no: hap=1 | oos=1 | pae=1 | apic=1 | nx=1 | hpet=1 | vpt_align=1 | viridian=1 | cpuid='x' | tsc_mode='x'
no: timer_mode='x' | nestedhvm=1 | e820_host=1 | bios='x' | bios_path_override='x' | firmware_override='x'
no: smbios_firmware='x' | smbios=['x'] | acpi_firmware='x' | acpi_s3=1 | acpi_s4=1 | acpi_laptop_slate=1
no: ms_vm_genid='x' | mmio_hole=5 | rdm='x' | rdm_mem_boundary=5 | mca_caps=['x'] | msr_relaxed=1 | hvm_pirq=1
no: xen_platform_pci=1 | xen_platform_pci_bar_uc=1 | vendor_device='x' | boot='c' | hdtype='x' | videoram=5 | stdvga=1
no: vga='x' | vnc=1 | vnclisten='x' | vncdisplay=5 | vncunused=1 | vncpasswd='x' | vncviewer=1 | sdl=1 | opengl=1
no: display='x' | xauthority='x' | spice=1 | spicehost='x' | spiceport=5 | spicetls_port=5
no: spicedisable_ticketing=1 | spicepasswd='x' | spiceagent_mouse=1 | spicevdagent=1 | spice_clipboard_sharing=1
no: spiceusbredirection=5 | spice_image_compression='x' | spice_streaming_video='x' | keymap='x' | serial='x' | usb=1
no: usbversion=5 | usbdevice='x' | soundhw='x' | vkb_device=1 | nographic=1 | pvshim=1 | pvshim_path='x'
no: pvshim_cmdline='x' | pvshim_extra='x' | vmtrace_buf_kb=5 | xend_suspend_evtchn_compat=1
nice: vtpm=['backend=x'] | blkdev_start='xvdb' | device_model_args_hvm=['x']
"""
REFUSED = """
no: altp2m='mixed' | altp2m_count=1 | ioports=['3f8'] | gfx_passthru=1
should: pci=['01:00.0']
nice: acpi=1 | vfb=['vnc=1'] | usbctrl=['type=pv'] | usbdev=['x'] | device_model_version='qemu-xen-traditional'
nice: device_model_override='x' | device_model_args=['x'] | device_model_args_pv=['x']
"""
BESIDE = {
    "must": ["type='hvm'", "builder='hvm'", "passthrough='sync_pt'"],
    "should": ["sve='x'"],
}
"""Values that are refused of keys that are used."""
ONLY_BESIDE_OTHERS = {
    **dict.fromkeys(("bootloader_args", "bootloader_user", "bootloader_restrict"), "bootloader='b'\n"),
    "init_seclabel": "seclabel='a:b:c'\n",
}
WITHOUT_EFFECT = ("type", "pci_permissive", "pci_msitranslate", "pci_seize", "pci_power_mgmt")
"""Used, but ARM has one type only; and defaults of entries that are refused."""


def assignments(table: str) -> list[tuple[str, str]]:
    lines = [line.split(": ", 1) for line in table.strip().splitlines()]
    return [(priority, text.strip()) for priority, texts in lines for text in texts.split(" | ")]


def key_of(text: str) -> str:
    return text.split("=")[0]


def load(text: str) -> tuple[GuestSpec, list[str]]:
    key = key_of(text)
    base = "".join(f"{line}\n" for line in BASE.splitlines() if key_of(line) != key) + ONLY_BESIDE_OTHERS.get(key, "")
    spec, found = load_text(base + text + "\n", "f")
    return spec.replace(places=None), [str(one) for one in found]


def plain(key: str) -> GuestSpec:
    return load_text(BASE + ONLY_BESIDE_OTHERS.get(key, ""), "f")[0].replace(places=None)


@pytest.mark.parametrize(("priority", "text"), assignments(USED))
def test_used(priority: str, text: str) -> None:
    row = find(key_of(text))
    assert row is not None and row.priority == priority
    spec, found = load(text)
    assert spec != plain(row.key), "it makes another guest"
    assert found == []


@pytest.mark.parametrize(("priority", "text"), assignments(WARNED))
def test_warned(priority: str, text: str) -> None:
    row = find(key_of(text))
    assert row is not None
    spec, found = load(text)
    assert spec == plain(row.key)
    (sentence,) = found
    assert "warning: " in sentence and f"`{row.key}'" in sentence


@pytest.mark.parametrize(("priority", "text"), assignments(REFUSED))
def test_refused(priority: str, text: str) -> None:
    row = find(key_of(text))
    assert row is not None and row.kind == "err" and row.priority == priority
    with pytest.raises(ConfigErrors, match=f"`{row.key}' is not possible: {row.reason}"):
        load(text)


@pytest.mark.parametrize("text", [text for texts in BESIDE.values() for text in texts])
def test_values_that_are_refused(text: str) -> None:
    with pytest.raises(ConfigErrors, match=f"`{key_of(text)}'"):
        load(text)


def test_every_key_is_here() -> None:
    here = [key_of(text) for table in (USED, WARNED, REFUSED) for _, text in assignments(table)]
    assert len(here) == len(set(here))
    assert {*here, *WITHOUT_EFFECT} == {key for key, *_ in documentation()}
    assert len(here) >= 165


def test_nothing_important_is_refused() -> None:
    refused = {(find(key_of(text)) or pytest.fail()).priority for _, text in assignments(REFUSED)}
    assert "must" not in refused
