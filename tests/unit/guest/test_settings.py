"""The table of settings."""

from __future__ import annotations

import pytest

from xenvm.guest.cfg import parse
from xenvm.guest.convert import _CONVERTERS
from xenvm.guest.convert_rare import CONVERTERS
from xenvm.guest.settings import asks_for_nothing, documentation, find, suggest
from xenvm.guest.settings_rows import HARMLESS, IGNORED, REFUSED, USED
from xenvm.guest.spec import GuestSpec

KEYS = [row[0] for table in (USED, HARMLESS, REFUSED) for row in table] + [
    key for row in IGNORED for key in row[0].split()
]


def test_no_key_twice() -> None:
    assert len(KEYS) == len(set(KEYS))


def test_rows_are_well_formed() -> None:
    for key in KEYS:
        row = find(key)
        assert row is not None and row.key == key
        assert row.type in ("S", "I", "B", "L", "L/S", "LL")
        assert row.kind in ("use", "harmless", "warn", "err")
        assert row.priority in ("must", "should", "nice", "no")
        assert row.help.endswith(".")
        assert bool(row.field) == bool(row.converter)
        assert bool(row.reason) or row.kind != "warn"


def test_fields_and_converters_exist() -> None:
    rows = [row for key in KEYS if (row := find(key)) and row.field]
    assert all(row.field in GuestSpec._fields for row in rows)
    assert {row.converter for row in rows} == {*_CONVERTERS, *CONVERTERS}


CLASSES = {
    "use": "name uuid type kernel memory disk vif localtime nomigrate claim gic_version vuart iomem cpus_soft channel"
    " p9 vkb vdispl vsnd virtio bootloader sve tee arm_sci driver_domain llc_colors seclabel cpu_weight xenstore_quota"
    " vpmu",
    "err": "pci usbctrl ioports gfx_passthru acpi vfb",
    "warn": "hap viridian vnc sdl serial vga boot pae cpuid usb spice device_model vtpm vnuma firmware altp2mhvm",
}


@pytest.mark.parametrize(("kind", "keys"), CLASSES.items())
def test_classes(kind: str, keys: str) -> None:
    classes = {key: found for key, _, _, found, _ in documentation()}
    assert {classes[key] for key in keys.split()} == {kind}


def test_documentation_has_every_key_in_order() -> None:
    assert [row[0] for row in documentation()] == sorted(KEYS)


@pytest.mark.parametrize(
    ("key", "near"),
    {"memroy": "memory", "memor": "memory", "memoryy": "memory", "mamory": "memory", "emmory": "memory", "cpu": "cpus",
     "kernal": "kernel", "vifs": "vif", "on_reboots": "on_reboot", "private": None, "x": None, "mmry": None,
     "memroyy": None}.items(),
)  # fmt: skip
def test_suggest(key: str, near: str | None) -> None:
    assert find(key) is None
    assert suggest(key) == near


NOTHING = """
channel=[]
channel=''
tee=''
tee='none'
tee="None"
sve='disabled'
acpi=0
acpi='0'
acpi=0x0
vnc=0
cpu_weight=256
cpu_weight=0x100
cap=0
xenstore_feature_mask=4294967295
trap_unmapped_accesses=1
arm_sci='type=none'
altp2m=0
altp2m='disabled'
"""
SOMETHING = """
channel=['']
channel=[[]]
tee='optee'
sve='hw'
sve=128
acpi=1
acpi='yes'
vnc=1
cpu_weight=0
trap_unmapped_accesses=0
arm_sci='type=scmi_smc'
altp2m=1
"""


def settings_of(text: str) -> list[tuple[str, bool]]:
    return [(line, line in NOTHING.split("\n")) for line in text.split("\n") if line]


@pytest.mark.parametrize(("text", "nothing"), settings_of(NOTHING) + settings_of(SOMETHING))
def test_asks_for_nothing(text: str, nothing: bool) -> None:
    ((key, setting),) = parse(text).settings.items()
    row = find(key)
    assert row is not None
    assert asks_for_nothing(row, setting.value) == nothing
