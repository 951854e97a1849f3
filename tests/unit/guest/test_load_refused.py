"""What is refused in a configuration, what is warned of, and what passes in silence."""

from __future__ import annotations

from typing import Any

import pytest

from xenvm.guest.cfg import ConfigErrors
from xenvm.guest.load import load_text
from xenvm.guest.spec import (
    DiskSpec,
    GuestSpec,
)

MINIMAL = "name='web'\nkernel='/boot/Image'\n"


def spec(*lines: str) -> GuestSpec:
    found, _ = load_text(MINIMAL + "\n".join(lines), "f")
    return found


def errors(*lines: str) -> list[str]:
    """The errors with their column, for settings on line 3 and further."""
    with pytest.raises(ConfigErrors) as caught:
        load_text(MINIMAL + "\n".join(lines), "f")
    return [str(found) for found in caught.value.diagnostics if found.severity == "error"]


def warnings(*lines: str) -> list[str]:
    return list(map(str, load_text(MINIMAL + "\n".join(lines), "f")[1]))


ERRORS = [
    ("name=''", "f:3:6: `name' is missing: every guest needs one"),
    ("name='a/b'", "f:3:6: `name' cannot hold a slash or a control character"),
    (f"name='{201 * 'n'}'", "f:3:6: `name' is longer than 200 bytes: no log could have it in its name"),
    ("name='a\\n'", "f:3:6: `name' cannot hold a slash or a control character"),
    ("name=['x']", "f:3:6: `name' is a list but must be a single value"),
    ("kernel=''", "f:3:8: `kernel' is missing: the path of the kernel image in the host"),
    ("uuid='x'", "f:3:6: `uuid' is not 8-4-4-4-12 hexadecimal digits: `x'"),
    ("uuid='0x23abcd-4567-89ab-cdef-0123456789ab'",
     "f:3:6: `uuid' is not 8-4-4-4-12 hexadecimal digits: `0x23abcd-4567-89ab-cdef-0123456789ab'"),
    ("type='hvm'", "f:3:6: `type' cannot be hvm on ARM, where all guests are pvh"),
    ("type='h'", "f:3:6: `type' cannot be hvm on ARM, where all guests are pvh"),
    ("type=''", "f:3:6: `type' cannot be hvm on ARM, where all guests are pvh"),
    ("type='PVH'", "f:3:6: `type' must be pvh, not `PVH'"),
    ("builder='hvm'", "f:3:9: `builder' cannot be hvm on ARM, where all guests are pvh"),
    ("builder='linux'", "f:3:9: `builder' must be generic, not `linux'"),
    ("memory=0", "f:3:8: `memory' must be 1 to 1073741824, not 0"),
    ("memory=-1", "f:3:8: config parsing error near `-1': nothing begins with this character"),
    ("memory='-1'", "f:3:8: `memory' must be 1 to 1073741824, not -1"),
    ("memory='512m'", "f:3:8: `memory' is not a valid number: `512m'"),
    ("memory=08", "f:3:8: `memory' is not a valid number: `08'"),
    ("memory=''", "f:3:8: `memory' is not a valid number: `'"),
    ("memory+=512", "f:3:9: `memory' is a number, which += cannot make"),
    ("memory=128;maxmem=64", "f:3:8: `memory' (128 MiB) is more than `maxmem' (64 MiB)"),
    ("maxmem=0", "f:3:8: `maxmem' must be 1 to 1073741824, not 0"),
    ("vcpus=0", "f:3:7: `vcpus' must be 1 to 128, not 0"),
    ("vcpus=129", "f:3:7: `vcpus' must be 1 to 128, not 129"),
    ("maxvcpus=129", "f:3:10: `maxvcpus' must be 0 to 128, not 129"),
    ("vcpus=4;maxvcpus=2", "f:3:18: `maxvcpus' (2) is less than `vcpus' (4)"),
    ("cpus='x'", "f:3:6: `x' is not a CPU, a range of CPUs or a node in a CPU list"),
    ("cpus=''", "f:3:6: the CPU list `' selects no CPU"),
    ("cpus_soft=['2-1']", "f:3:12: `2-1' is not a CPU, a range of CPUs or a node in a CPU list"),
    ("cpus=[['1']]", "f:3:7: `cpus' holds a list within the list, where a string belongs"),
    ("vif='bridge=br0'", "f:3:5: `vif' is a single value but must be a list: vif=['bridge=br0']"),
    ("vif=['bridge=a', 'bogus']", "f:3:18: unrecognized argument `bogus' in the vif `bogus'"),
    ("vif=['devid=1', 'x=']", "f:3:17: unrecognized argument `x=' in the vif `x='"),
    ("vif=['devid=1', '']", "f:3:17: two interfaces have devid 1: `'"),
    ("vif=['', ['']]", "f:3:10: `vif' holds a list within the list, where a string belongs"),
    ("disk='/x,,xvda'", "f:3:6: `disk' is a single value but must be a list: disk=['/x,,xvda']"),
    ("disk=['/x,xvda,w']", "f:3:7: unknown format `xvda' in the disk `/x,xvda,w'"),
    ("disk=['/x,,xvda', '/y,,51712']", "f:3:19: two disks are xvda: `/y,,51712'"),
    ("disk=['/x,,xvda', ['/y,,xvdb']]", "f:3:19: `disk' holds a list within the list, where a string belongs"),
    ("on_crash='reboot'", "f:3:10: `on_crash' must be destroy, restart, rename-restart, preserve, coredump-destroy, "
     "coredump-restart, soft-reset, not `reboot'"),
    ("on_crash='Destroy'", "f:3:10: `on_crash' must be destroy, restart, rename-restart, preserve, coredump-destroy, "
     "coredump-restart, soft-reset, not `Destroy'"),
    ("gic_version='v4'", "f:3:13: `gic_version' must be default or v2 or v3, not `v4'"),
    ("vuart='pl011'", "f:3:7: `vuart' must be sbsa_uart or unknown, not `pl011'"),
    ("passthrough='sync_pt'",
     "f:3:13: `passthrough' cannot be sync_pt on ARM, where page tables are always shared"),
    ("passthrough='yes'",
     "f:3:13: `passthrough' must be default, disabled, enabled or share_pt, not `yes'"),
    ("max_grant_frames=0", "f:3:18: `max_grant_frames' must be 1 to 2147483647, not 0"),
    ("max_grant_frames=4294967296", "f:3:18: `max_grant_frames' must be 1 to 2147483647, not 4294967296"),
    ("max_maptrack_frames='-1'", "f:3:21: `max_maptrack_frames' must be 0 to 2147483647, not -1"),
    ("max_grant_version=3", "f:3:19: `max_grant_version' must be 1 to 2, not 3"),
    ("max_event_channels='-1'", "f:3:20: `max_event_channels' must be 0 to 2147483647, not -1"),
    ("shadow_memory=0", "f:3:15: `shadow_memory' must be 1 to 2147483647, not 0"),
    ("nr_spis=5089", "f:3:9: `nr_spis' must be 0 to 5088, not 5089"),
    ("irqs=[0x20]", "f:3:7: `irqs' are decimal numbers, not `0x20'"),
    ("irqs=['40 ']", "f:3:7: `irqs' are decimal numbers, not `40 '"),
    ("irqs=[31]", "f:3:7: `irqs' are shared interrupts, 32 to 1019, not 31"),
    ("irqs=[1020]", "f:3:7: `irqs' are shared interrupts, 32 to 1019, not 1020"),
    ("irqs=[40, 040]", "f:3:11: `irqs' names 40 twice"),
    ("irqs=40", "f:3:6: `irqs' is a single value but must be a list: irqs=['40']"),
    ("iomem=['fe000']", "f:3:8: `iomem' is START,NUM[@GFN] in hexadecimal, not `fe000'"),
    ("iomem=['fe000,']", "f:3:8: `iomem' is START,NUM[@GFN] in hexadecimal, not `fe000,'"),
    ("iomem=['fe000,1@']", "f:3:8: `iomem' is START,NUM[@GFN] in hexadecimal, not `fe000,1@'"),
    ("iomem=['fe000,1@2x']", "f:3:8: `iomem' is START,NUM[@GFN] in hexadecimal, not `fe000,1@2x'"),
    ("iomem=['fe000,1,2']", "f:3:8: `iomem' is START,NUM[@GFN] in hexadecimal, not `fe000,1,2'"),
    ("iomem=['fe000,0']", "f:3:8: `iomem' is empty or beyond the address space: `fe000,0'"),
    ("iomem=['fffffffffff,1']", "f:3:8: `iomem' is empty or beyond the address space: `fffffffffff,1'"),
    ("iomem=['1,2@ffffffffff']", "f:3:8: `iomem' is empty or beyond the address space: `1,2@ffffffffff'"),
    ("dtdev=['soc/eth']", "f:3:8: `dtdev' is the full path of a device tree node, not `soc/eth'"),
    ("kernel=['/x']", "f:3:8: `kernel' is a list but must be a single value"),
    ("channel=['connection=pty']", "f:3:10: it has no `name' in the channel `connection=pty'"),
    ("channel=['connection=pty,name=a', 'connection=pty,name=a']", "f:3:9: two channels are called a"),
    ("tee='op-tee'", "f:3:5: `tee' must be none or optee or ffa, not `op-tee'"),
    ("sve=100", "f:3:5: `sve' must be disabled, hw or a multiple of 128 up to 2048, not `100'"),
    ("sve='2176'", "f:3:5: `sve' must be disabled, hw or a multiple of 128 up to 2048, not `2176'"),
    ("sve='0x80'", "f:3:5: `sve' must be disabled, hw or a multiple of 128 up to 2048, not `0x80'"),
    ("arm_sci='scmi_smc'", "f:3:9: `arm_sci' must be type=none or type=scmi_smc, not `scmi_smc'"),
    ("llc_colors=['0-3', '2-1']", "f:3:20: `llc_colors' are numbers or ranges such as 0-3, not `2-1'"),
    ("llc_colors=['3x']", "f:3:13: `llc_colors' are numbers or ranges such as 0-3, not `3x'"),
    ("xenstore_quota=['nodes']", "f:3:17: `xenstore_quota' is NAME=NUMBER, not `nodes'"),
    ("xenstore_quota=['nodes=-1']", "f:3:17: `xenstore_quota' is NAME=NUMBER, not `nodes=-1'"),
    ("xenstore_quota=['nodes=1', 'nodes=2']", "f:3:28: `xenstore_quota' names nodes twice"),
    ("xenstore_feature_mask=0x100000000", "f:3:23: `xenstore_feature_mask' has 32 bits, unlike `0x100000000'"),
    ("cpu_weight=0", "f:3:12: `cpu_weight' must be 1 to 65535, not 0"),
    ("vcpus=2;cap=201", "f:3:13: `cap' must be 0 to 200, not 201"),
    ("pvcalls=['', 'backend=x']", "f:3:9: `pvcalls' can have one element only"),
    ("vsnd=['card']", "f:3:6: `vsnd' must be a list of lists: vsnd=[['...', '...']]"),
    ("vsnd=[['drum']]", "f:3:8: it must begin with card, pcm or stream in the vsnd `drum'"),
    ("acpi=1",
     "f:3:6: `acpi' is not possible: xenvm describes its guests by device trees, not by ACPI tables"),
    ("ioports=['3f8-3ff']", "f:3:9: `ioports' is not possible: ARM has no I/O ports to grant"),
    ("gfx_passthru=1", "f:3:14: `gfx_passthru' is not possible: a graphics card can be passed through on x86 only"),
    ("altp2m='mixed'", "f:3:8: `altp2m' is not possible: Xen on ARM has no alternative p2m"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), ERRORS)
def test_errors(text: str, message: str) -> None:
    assert message in errors(text)


def test_missing_name_and_kernel() -> None:
    with pytest.raises(ConfigErrors) as caught:
        load_text("", "f")
    assert str(caught.value).splitlines() == [
        "f: `name' is missing: every guest needs one",
        "f: `kernel' is missing: the path of the kernel image in the host",
    ]


WARNINGS = [
    ("memroy=1024", "f:3:1: warning: unknown setting `memroy' is ignored; is it `memory'?"),
    ("my.private=[1]", "f:3:1: warning: unknown setting `my.private' is ignored"),
    ("memory=0100", "f:3:8: warning: `memory' begins with a zero and is octal: 0100 is 64"),
    ("name='5'", "f:3:6: warning: `name' 5 is a number, which commands will take for a domid"),
    ("type='pv'", "f:3:6: warning: `type' pv is the same as pvh on ARM"),
    ("type='p'", "f:3:6: warning: `type' pv is the same as pvh on ARM"),
    ("builder='generic'", "f:3:9: warning: `builder' is deprecated, and ARM has one type of guest"),
    ("cmdline='a'\nroot='b'", "f:4:6: warning: `root' is ignored in favour of `cmdline'"),
    ("cmdline='a';extra='b'", "f:3:19: warning: `extra' is ignored in favour of `cmdline'"),
    ("cpus=['0', '1']", "f:3:6: warning: `cpus' has 2 elements for 1 vCPUs; the others are ignored"),
    ("vif=['netdev=e']", "f:3:6: warning: netdev is deprecated, write gatewaydev"),
    ("hap=1", "f:3:5: warning: `hap' is ignored: x86 only"),
    ("viridian=['all']", "f:3:10: warning: `viridian' is ignored: x86 only"),
    ("vtpm=['backend=x']", "f:3:6: warning: `vtpm' is ignored: Xen on ARM has no TPM domain"),
    ("blkdev_start='xvda'", "f:3:14: warning: `blkdev_start' is ignored: it is a setting of the host, of xl.conf"),
]


@pytest.mark.parametrize(("text", "message"), WARNINGS)
def test_warnings(text: str, message: str) -> None:
    assert message in warnings(text)


SILENT = [
    "channel=[]", "tee='none'", "sve='disabled'", "acpi=0", "vnc=0", "vfb=[]", "pci=[]", "ioports=[]", "hap=0",
    "bootloader=''", "bootloader_args=['-q']", "pci_permissive=1", "localtime=1", "nomigrate=1", "claim=0",
    "device_model_version='qemu-xen'", "driver_domain=0", "on_crash='destroy'", "gfx_passthru=0", "serial=''",
]  # fmt: skip


@pytest.mark.parametrize("text", SILENT)
def test_silent(text: str) -> None:
    assert warnings(text) == []


def test_everything_wrong_is_told_at_once() -> None:
    found = errors("memory='x'", "vcpus=0", "vif='b'", "disk=['/x,xvda']", "tee='x'")
    assert [line.split(":")[1] for line in found] == ["3", "4", "5", "6", "7"]


LENIENT: list[tuple[str, dict[str, Any]]] = [
    ("memory='512m'", {"memory": 32768}),
    ("memory+=512", {"memory": 32768}),
    ("vif='bridge=br0'", {"nics": ()}),
    ("cmdline=['a']", {"cmdline": ""}),
    ("disk=['/x,,xvda', ['/y,,xvdb'], '/z,,xvdc']", {"disks": (DiskSpec("/x", "xvda", 51712, line=3, column=7),)}),
]


@pytest.mark.parametrize(("text", "fields"), LENIENT)
def test_lenient_as_xl(text: str, fields: dict[str, Any]) -> None:
    found, warned = load_text(MINIMAL + text, "f", strict=False)
    assert {field: found.as_dict()[field] for field in fields} == fields
    assert [finding.severity for finding in warned] == ["warning"]
    assert errors(text)
