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
from xenvm.guest.load import examine, load_file, load_text
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


def test_overrides() -> None:
    found, warned = load_text(MINIMAL + "memory=64", "f", ["memory=128", "disk=['/x,,xvda']", "extra='ro'"])
    assert (found.memory, found.cmdline, warned) == (131072, "ro", ())
    assert found.disks == (DiskSpec("/x", "xvda", 51712),)
    assert found.places == {"name": (1, 1), "kernel": (2, 1)}


def test_errors_in_overrides_are_of_the_command_line() -> None:
    with pytest.raises(ConfigErrors) as caught:
        load_text(MINIMAL, "f", ["vcpus=1", "memory=0"])
    assert str(caught.value) == "command line:2:8: `memory' must be 1 to 1073741824, not 0"


def test_errors_and_warnings_are_told_in_order() -> None:
    with pytest.raises(ConfigErrors) as caught:
        load_text(MINIMAL + "hap=1\nmemory=0\nmemroy=1\n", "f", ["vcpus=0"])
    assert [(one.severity, one.source, one.line, one.key) for one in caught.value.diagnostics] == [
        ("warning", "f", 3, "hap"),
        ("error", "f", 4, "memory"),
        ("warning", "f", 5, "memroy"),
        ("error", "command line", 1, "vcpus"),
    ]


def test_examine_never_raises() -> None:
    guest, found = examine("a=\nb=\n", "f")
    assert guest is None and [one.line for one in found] == [1, 2]
    assert examine(MINIMAL) == (load_text(MINIMAL)[0], ())


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
