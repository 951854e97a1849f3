"""From files and arguments to a GuestSpec."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xenvm.errors import ConfigError
from xenvm.guest.cfg import ConfigErrors
from xenvm.guest.classes import ChannelSpec, SoundDevice, VsndSpec
from xenvm.guest.load import check_text, load_file, load_text
from xenvm.guest.spec import (
    ACTIONS,
    Affinity,
    Bootloader,
    DiskSpec,
    GuestSpec,
    IomemRange,
    NicSpec,
    Scheduling,
    VirtioSpec,
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


def test_minimal_guest() -> None:
    found, warned = load_text(MINIMAL, "f")
    places = {"name": (1, 1), "kernel": (2, 1)}
    assert found == GuestSpec(name="web", kernel="/boot/Image", source="f", places=places)
    assert warned == ()


FULL = """
name = "db"
uuid = "0123ABCD-4567-89ab-cdef-0123456789AB"
type = "pvh"
kernel = "/boot/Image"
ramdisk = "/boot/initrd"
cmdline = "console=hvc0"
memory = 256
maxmem = 1024
vcpus = 2
maxvcpus = 4
cpus = "0-3,^2"
cpus_soft = ["1", "all"]
disk = [
    '/dev/vg/db,raw,xvda,w',
    '/iso,,xvdb,r',
]
vif = ['bridge=xenbr0', 'mac=00:16:3e:00:00:01,devid=7']
on_poweroff = "preserve"
on_reboot = "coredump-restart"
on_watchdog = "rename-restart"
on_crash = "coredump-destroy"
on_soft_reset = "destroy"
gic_version = "V3"
vuart = "sbsa_uart"
device_tree = "/boot/part.dtb"
nr_spis = 64
max_grant_frames = 128
max_maptrack_frames = 0
max_grant_version = 2
max_event_channels = 4095
passthrough = "enabled"
shadow_memory = 16
pool = "Pool-big"
irqs = [40, "112"]
iomem = ["fe000,10", "0xff000,0x1@9000"]
dtdev = ["/soc/ethernet@1000"]
nomigrate = 1
localtime = 1
rtc_timeoffset = 3600
claim = 1
tee = "none"
vnc = 0
"""


def test_full_guest() -> None:
    found, warned = load_text(FULL.encode(), "db.cfg")
    assert warned == ()
    some = frozenset({0, 1, 3})
    assert found == GuestSpec(
        name="db",
        uuid="0123abcd-4567-89ab-cdef-0123456789ab",
        kernel="/boot/Image",
        ramdisk="/boot/initrd",
        cmdline="console=hvc0",
        memory=262144,
        maxmem=1048576,
        vcpus=2,
        maxvcpus=4,
        affinity=Affinity(hard=(some,) * 4, soft=(frozenset({1}), None, None, None)),
        disks=(
            DiskSpec(target="/dev/vg/db", vdev="xvda", devid=51712, line=15, column=5),
            DiskSpec(target="/iso", vdev="xvdb", devid=51728, readwrite=False, line=16, column=5),
        ),
        nics=(
            NicSpec(devid=0, bridge="xenbr0", line=18, column=8),
            NicSpec(devid=7, mac="00:16:3e:00:00:01", line=18, column=25),
        ),
        on_poweroff="preserve",
        on_reboot="coredump-restart",
        on_watchdog="rename-restart",
        on_crash="coredump-destroy",
        on_soft_reset="destroy",
        gic_version="v3",
        vuart=True,
        device_tree="/boot/part.dtb",
        nr_spis=64,
        max_grant_frames=128,
        max_maptrack_frames=0,
        max_grant_version=2,
        max_event_channels=4095,
        passthrough="share_pt",
        shadow_memory=16384,
        pool="Pool-big",
        irqs=(40, 112),
        iomem=(IomemRange(0xFE000, 0x10, 0xFE000), IomemRange(0xFF000, 1, 0x9000)),
        dtdev=("/soc/ethernet@1000",),
        nomigrate=True,
        localtime=True,
        rtc_timeoffset=3600,
        claim=True,
        source="db.cfg",
        places=found.places,
    )
    assert found.places and found.places["memory"] == (8, 1)


FIELDS: list[tuple[str, dict[str, Any]]] = [
    ("cpu_weight=512\ncap=50", {"scheduling": Scheduling(weight=512, cap=50)}),
    ("period=20000\nextratime=0\nslice=5", {"scheduling": Scheduling(period=20000, extratime=False, slice=5)}),
    ("llc_colors=['0-2', 7, '1']", {"llc_colors": (0, 1, 2, 7)}),
    ("sve='hw'", {"sve": -1}),
    ("sve=256", {"sve": 256}),
    ("tee='OPTEE'", {"tee": "optee"}),
    ("arm_sci='type=scmi_smc'", {"arm_sci": "scmi_smc"}),
    ("vpmu=1\ntrap_unmapped_accesses=0", {"vpmu": True, "trap_unmapped_accesses": False}),
    ("seclabel='a:b:c'\ninit_seclabel='d:e:f'", {"seclabel": "a:b:c", "init_seclabel": "d:e:f"}),
    ("driver_domain=1", {"driver_domain": True}),
    ("xenstore_feature_mask=0x1", {"xenstore_feature_mask": 1}),
    ("xenstore_quota=['nodes=0x10', 'watches=0']", {"xenstore_quota": (("nodes", 16), ("watches", 0))}),
    ("bootloader='pygrub'", {"bootloader": Bootloader("pygrub")}),
    (
        "bootloader='/b'\nbootloader_args='-q  -x'\nbootloader_restrict=1\nbootloader_user='u'",
        {"bootloader": Bootloader("/b", ("-q", "-x"), "u", True)},
    ),
    ("channel=['name=a,connection=pty']", {"channels": (ChannelSpec("a"),)}),
    ("virtio=['type=virtio,device22,transport=mmio']", {"virtios": (VirtioSpec("virtio,device22"),)}),
    ("vsnd=[['card, short-name=c', 'pcm, name=d']]", {"vsnds": (VsndSpec("c", devices=(SoundDevice("d"),)),)}),
    ("memory=64", {"memory": 65536, "maxmem": 65536}),
    ("maxmem=64", {"memory": 65536, "maxmem": 65536}),
    ("memory=32\nmaxmem=64", {"memory": 32768, "maxmem": 65536}),
    ("memory=0x40", {"memory": 65536}),
    ("memory='64'", {"memory": 65536}),
    ("vcpus=3", {"vcpus": 3, "maxvcpus": 3}),
    ("maxvcpus=3", {"vcpus": 1, "maxvcpus": 3}),
    ("vcpus=2\nmaxvcpus=0", {"vcpus": 2, "maxvcpus": 2}),
    ("vcpus=128", {"vcpus": 128}),
    ("root='/dev/xvda1'", {"cmdline": "root=/dev/xvda1"}),
    ("extra='quiet'", {"cmdline": "quiet"}),
    ("extra='quiet'\nroot='R'", {"cmdline": "root=R quiet"}),
    ("cmdline=''", {"cmdline": ""}),
    ("ramdisk=''", {"ramdisk": None}),
    ("device_tree=''", {"device_tree": None}),
    ("pool=''", {"pool": None}),
    ("max_event_channels=0", {"max_event_channels": 1023}),
    ("passthrough='share_pt'", {"passthrough": "share_pt"}),
    ("passthrough='Disabled'", {"passthrough": "disabled"}),
    ("gic_version='default'", {"gic_version": "default"}),
    ("gic_version='v2'", {"gic_version": "v2"}),
    ("vuart='SBSA_UART'", {"vuart": True}),
    ("vuart='unknown'", {"vuart": False}),
    ("type='pvh'", {}),
    ("disk=[]\nvif=[]\nirqs=[]\niomem=[]\ndtdev=[]", {"disks": (), "nics": (), "irqs": ()}),
    ("vif=['', '']", {"nics": (NicSpec(0, line=3, column=6), NicSpec(1, line=3, column=10))}),
    ("irqs=[32, 1019]", {"irqs": (32, 1019)}),
    ("iomem=['1,1']", {"iomem": (IomemRange(1, 1, 1),)}),
    ("cpus='all'", {"affinity": Affinity()}),
    ("cpus=3", {"affinity": Affinity(hard=(frozenset({3}),))}),
    ("cpus=[]", {"affinity": Affinity()}),
    ("vcpus=2\ncpus=[3]", {"affinity": Affinity(hard=(frozenset({3}), None))}),
    ("vcpus=2\ncpus=['all', 'nodes:0']", {"affinity": Affinity()}),
    ("vcpus=2\ncpus_soft='0'", {"affinity": Affinity(soft=(frozenset({0}),) * 2)}),
    ("name='a b'", {"name": "a b"}),
    *((f"on_crash='{action}'", {"on_crash": action}) for action in ACTIONS),
]


@pytest.mark.parametrize(("text", "fields"), FIELDS)
def test_fields(text: str, fields: dict[str, Any]) -> None:
    found = spec(text).as_dict()
    assert {field: found[field] for field in fields} == fields


def test_affinity_to_all_but_one_stays_right_on_any_host() -> None:
    (cpus,) = spec("cpus='all,^0'").affinity.hard
    assert cpus is not None and 0 not in cpus and {1, 127, 4095} <= cpus


ERRORS = [
    ("name=''", "f:3:6: `name' is missing: every guest needs one"),
    ("name='a/b'", "f:3:6: `name' cannot hold a slash or a control character"),
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


def test_overrides() -> None:
    found, warned = load_text(MINIMAL + "memory=64", "f", ["memory=128", "disk=['/x,,xvda']", "extra='ro'"])
    assert (found.memory, found.cmdline, warned) == (131072, "ro", ())
    assert found.disks == (DiskSpec("/x", "xvda", 51712),)
    assert found.places == {"name": (1, 1), "kernel": (2, 1)}


def test_errors_in_overrides_are_of_the_command_line() -> None:
    with pytest.raises(ConfigErrors) as caught:
        load_text(MINIMAL, "f", ["vcpus=1", "memory=0"])
    assert str(caught.value) == "command line:2:8: `memory' must be 1 to 1073741824, not 0"


def test_check_tells_errors_and_warnings_in_order() -> None:
    found = check_text(MINIMAL + "hap=1\nmemory=0\nmemroy=1\n", "f", ["vcpus=0"])
    assert [(one.severity, one.source, one.line, one.key) for one in found] == [
        ("warning", "f", 3, "hap"),
        ("error", "f", 4, "memory"),
        ("warning", "f", 5, "memroy"),
        ("error", "command line", 1, "vcpus"),
    ]
    assert [one.line for one in check_text("a=\nb=\n", "f")] == [1, 2]
    assert check_text(MINIMAL) == ()


def test_file(tmp_path: Path) -> None:
    path = tmp_path / "web.cfg"
    path.write_bytes(MINIMAL.encode() + b"extra='\xff'\n")
    found, _ = load_file(str(path), ["memory=64"])
    assert (found.source, found.memory) == (str(path), 65536)
    assert found.cmdline.encode("utf-8", "surrogateescape") == b"\xff"


def test_unreadable_files(tmp_path: Path) -> None:
    for path in (str(tmp_path / "none.cfg"), str(tmp_path), "a\0b"):
        with pytest.raises(ConfigError, match="cannot read the configuration: ") as caught:
            load_file(path)
        assert str(caught.value).startswith(f"{path}: ")


def test_huge_file() -> None:
    with pytest.raises(ConfigError, match="longer than 1048576 bytes"):
        load_file("/dev/zero")


def test_empty_file_and_arguments() -> None:
    found, _ = load_file("/dev/null", ["name='a'", "kernel='k'"])
    assert (found.name, found.kernel) == ("a", "k")


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    def fake(file: Any, mode: str, closefd: bool) -> io.BytesIO:
        opened.append((file, mode, closefd))
        return io.BytesIO(MINIMAL.encode())

    monkeypatch.setattr("builtins.open", fake)
    found, _ = load_file("-")
    assert (found.name, opened) == ("web", [(0, "rb", False)])


KEYS = [
    "name",
    "kernel",
    "memory",
    "vcpus",
    "cpus",
    "disk",
    "vif",
    "irqs",
    "iomem",
    "uuid",
    "type",
    "root",
    "tee",
    "zz",
]
VALUES = ["'x'", "1", "0", "[]", "['a']", "[['a']]", "'all'", "''", "['/x,,xvda']", "99999999999999999999", "[40]"]


@settings(max_examples=100)
@given(st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(["=", "+="]), st.sampled_from(VALUES)), max_size=8))
def test_arbitrary_settings(assignments: list[tuple[str, str, str]]) -> None:
    text = "".join(f"{key}{operator}{value}\n" for key, operator, value in assignments)
    for strict in (True, False):
        try:
            load_text(text, "f", strict=strict)
        except ConfigError as error:
            assert str(error).startswith("f")


@settings(max_examples=100)
@given(st.binary(max_size=60))
def test_arbitrary_bytes(data: bytes) -> None:
    try:
        load_text(data)
    except ConfigError as error:
        assert str(error)
