"""Each rule of `xenvm check`: what it finds, and what it leaves alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.simworld import arm64_image
from xenvm.guest.lint import Checked, check_files, check_texts
from xenvm.guest.rules import rules

BASE = "name='g'\nkernel='/boot/Image'\n"
MAC = "mac=00:16:3e:00:00:01"

# Rule: what it finds (the settings of one file, or of two), and what it does not.
EXAMPLES: dict[str, tuple[list[str], list[str]]] = {
    "XV001": (["memory=", "Memory=1", "vif=[,]", "import os", "vif=['a'"], ["memory=1", "vif=['',]"]),
    "XV002": (["memory=1\r"], ["memory=1\n"]),
    "XV003": (["\ufeffmemory=1"], ["memory=1 # \ufeff"]),
    "XV004": (['extra="\\x41"', "extra='\\101'"], ['extra="\\n"', "extra='\\\\x41'"]),
    "XV010": (["memroy=1", "private=1"], ["memory=1"]),
    "XV011": (["memory=1;memory=2"], ["extra='a';extra+='b'"]),
    "XV012": (["hap=1", "viridian=['all']"], ["hap=0", "serial=''"]),
    "XV013": (["ioports=['3f8']", "pci=['01:00.0']", "acpi=1", "vfb=['vnc=1']"], ["ioports=[]", "acpi=0"]),
    "XV014": (["cmdline='a';extra='b'", "cmdline='a';root='/dev/x'"], ["extra='b'", "cmdline='a'"]),
    "XV015": (["builder='generic'", "type='pv'", "vif=['netdev=e']"], ["type='pvh'", "vif=['gatewaydev=e']"]),
    "XV020": (["memory=['1']", "vif='bridge=a'", "vsnd=['card']"], ["memory='1'", "vif=['bridge=a']"]),
    "XV021": (["disk=['/a,,xvda',['/b,,xvdb']]"], ["disk=['/a,,xvda','/b,,xvdb']", "vsnd=[['card']]"]),
    "XV022": (["memory='512m'", "memory=08", "nomigrate='yes'"], ["memory='512'", "nomigrate=1"]),
    "XV023": (["memory=010", "vcpus='02'", "vif=['rate=010Mb/s']"], ["memory=10", "memory=0x10", "nomigrate=0"]),
    "XV024": (["memory=0", "vcpus=200", "memory=2;maxmem=1", "vcpus=2;maxvcpus=1"], ["memory=1;maxmem=2"]),
    "XV025": (["memory+=512"], ["memory=512"]),
    "XV026": (["gic_version='v5'", "uuid='1'", "irqs=['0x28']", "type='hvm'", "cpus='x'", "init_seclabel='a'"],
              ["gic_version='v3'"]),
    "XV027": (["cpus=['0','1']"], ["vcpus=2;cpus=['0','1']", "vcpus=3;cpus=['0']"]),
    "XV030": (["disk=['/a,xvda,w']", "disk=['/a,qcow2,xvda']", "disk=['cdrom,vdev=hdc']"], ["disk=['/a,,xvda']"]),
    "XV031": (["vif=['bogus=1']", "vif=['mac=x']"], ["vif=['bridge=a']"]),
    "XV032": (["channel=['name=a']", "vkb=['unique-id=x']", "p9=['x']", "p9=['tag=t,path=/x,security_model=mapped']",
               "p9=['tag=t,path=x,security_model=none,type=xen_9pfsd']"], ["channel=['name=a,connection=pty']"]),
    "XV033": (["disk=['/a,,xvda','/b,,xvda']", "disk=['/a,,xvda','/b,,51712']"], ["disk=['/a,,xvda','/b,,xvdb']"]),
    "XV034": (["vif=['devid=1','']"], ["vif=['','']"]),
    "XV035": ([f"vif=['{MAC}','{MAC}']", f"vif=['{MAC}']\0vif=['{MAC}']"], [f"vif=['{MAC}']\0vif=['']"]),
    "XV036": (["disk=['/a,,xvda','/b,,xvda1']", "disk=['/a,,sda','/b,,sda3']", "disk=['/a,,xvda','/b,,hda']"],
              ["disk=['/a,,xvda','/b,,xvdb1']", "disk=['/a,,xvda1','/b,,xvda2']"]),
    "XV037": (["vif=['mac=01:00:5e:00:00:01']"], [f"vif=['{MAC}']", "vif=['mac=02:00:00:00:00:01']"]),
    "XV038": (["disk=['/a,,xvda']\0disk=['/a,,xvdb,r']"], ["disk=['/a,,xvda,r']\0disk=['/a,,xvda,r']"]),
    "XV039": (["vif=['rate=1MB/s@50']"], ["vif=['rate=1MB/s@50ms']", "vif=['rate=1MB/s']"]),
    "XV050": (["\0name='g'"], ["\0name='h'"]),
    "XV051": (["uuid='U'\0uuid='U'"], ["uuid='U'\0uuid='V'"]),
    "XV052": (["vif=['vifname=a','vifname=a']", "vif=['vifname=abcdefghijklmnop']"], ["vif=['vifname=a','vifname=b']"]),
    "XV053": (["irqs=[40]\0irqs=[40]", "iomem=['1,1']\0iomem=['1,1']",
               "iomem=['100,10']\0iomem=['0,8','10e,8']"], ["irqs=[40]\0irqs=[41]", "iomem=['1,2']\0iomem=['3,1']"]),
    "XV060": (["name=''", "kernel=''"], ["bootloader='pygrub';kernel=''"]),
    "XV061": (["name='5'"], ["name='g5'"]),
    "XV062": (["gic_version='v2';vcpus=9"], ["gic_version='v2';vcpus=8", "vcpus=9"]),
    "XV063": (["root='/dev/xvda1'", "cmdline='root=/dev/xvdb';disk=['/a,,xvda']"],
              ["root='/dev/xvda1';disk=['/a,,xvda']", "root='/dev/xvda1';disk=['/a,,xvda1']", "root='/dev/nfs'"]),
    "XV065": (["vuart='sbsa_uart';irqs=[32]", "nr_spis=1;irqs=[40]",
               "irqs=[33];virtio=['type=virtio,device22,transport=mmio']"], ["irqs=[40]", "nr_spis=9;irqs=[40]"]),
}  # fmt: skip
ON_FILES = {"XV000", "XV040", "XV041", "XV042", "XV043", "XV064"}


def check(example: str) -> tuple[Checked, ...]:
    """One or two files that differ by name only."""
    texts = []
    for number, part in enumerate(example.split("\0")):
        part = part.replace("'U'", f"'{'1' * 8}-1111-1111-1111-{'1' * 12}'")
        part = part.replace("'V'", f"'{'2' * 8}-1111-1111-1111-{'1' * 12}'")
        base = BASE if not number else BASE.replace("'g'", "'second'")
        keys = {word.split("=")[0] for word in part.split(";")}
        base = "".join(f"{line}\n" for line in base.splitlines() if line.split("=")[0] not in keys)
        texts.append((f"file{number}", (part if part[:1] == "\ufeff" else base + part + "\n").encode(), ""))
    return check_texts(texts)


def found(example: str) -> set[str]:
    return {finding.rule for one in check(example) for finding in one.findings}


def test_every_rule_has_its_examples() -> None:
    assert {*EXAMPLES, *ON_FILES} == {rule.id for rule in rules()}


@pytest.mark.parametrize(("rule", "bad"), [(rule, bad) for rule, (some, _) in EXAMPLES.items() for bad in some])
def test_bad_examples(rule: str, bad: str) -> None:
    assert rule in found(bad)


@pytest.mark.parametrize(("rule", "good"), [(rule, good) for rule, (_, some) in EXAMPLES.items() for good in some])
def test_good_examples(rule: str, good: str) -> None:
    assert rule not in found(good)


def test_places() -> None:
    (one,) = check("memory=010\n  vif=['', 'mac=01:00:5e:00:00:01']")
    assert [(finding.rule, finding.line, finding.column) for finding in one.findings] == [
        ("XV023", 3, 8),
        ("XV037", 4, 12),
    ]


def test_an_unknown_setting_is_marked_itself_not_its_value() -> None:
    (one,) = check("  memroy = 64")
    assert [(finding.rule, finding.line, finding.column) for finding in one.findings] == [("XV010", 3, 3)]


def test_pages_that_overlap_are_named() -> None:
    _, second = check("iomem=['100,10']\0iomem=['10e,8']")
    assert [finding.message for finding in second.findings] == ["the host's page 0x10e is given to file0 too"]


def test_a_plain_guest_is_clean() -> None:
    (one,) = check("memory=64;disk=['/a,,xvda'];vif=['bridge=br0'];root='/dev/xvda'")
    assert one.findings == () and one.spec is not None and one.spec.name == "g"


def test_wrong_line_ends_are_told_once() -> None:
    (one,) = check("memory=1\r\nvcpus=1\r\nx=\r")
    assert [finding.rule for finding in one.findings].count("XV002") == 1


@pytest.mark.parametrize(
    ("text", "near"),
    [("vif=['birdge=a']", "bridge"), ("disk=['vdve=xvda']", "vdev"), ("p9=['tga=t']", "tag"), ("memroy=1", "memory")],
)
def test_a_slip_of_the_keyboard(text: str, near: str) -> None:
    (one,) = check(text)
    assert any(f"is it `{near}'?" in finding.message for finding in one.findings)


@pytest.mark.parametrize("kind", ["folder", "pipe"])
@pytest.mark.timeout(20)
def test_a_kernel_that_is_no_file_at_all(tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    config = tmp_path / "g.cfg"
    config.write_text(f"name='g'\nkernel='{path}'\nmemory=64\n")
    (one,) = check_files([str(config)])
    assert [(finding.rule, finding.line) for finding in one.findings] == [("XV041", 2)]
    assert one.findings[0].message == f"{path}: {'is a directory' if kind == 'folder' else 'not a regular file'}"


def test_the_other_file_is_named() -> None:
    first, second = check("irqs=[40]\0irqs=[40]")
    assert first.findings == ()
    assert [finding.message for finding in second.findings] == ["the host's interrupt 40 is given to file0 too"]


def write(folder: Path, name: str, content: bytes) -> str:
    (folder / name).write_bytes(content)
    return str(folder / name)


def on_files(folder: Path, text: str) -> set[str]:
    path = write(folder, "g.cfg", text.encode())
    return {finding.rule for one in check_files([path]) for finding in one.findings}


def test_files(tmp_path: Path) -> None:
    kernel = write(tmp_path, "Image", arm64_image())
    bzimage = write(tmp_path, "bzImage", b"MZ".ljust(0x202, b"\0") + b"HdrS" + bytes(64))
    zimage = bytearray(0x1000)
    zimage[0x24:0x28], zimage[0x2C:0x30] = b"\x18\x28\x6f\x01", (0x1000).to_bytes(4, "little")
    arm32 = write(tmp_path, "zImage", bytes(zimage))
    tree = write(tmp_path, "tree", b"no tree")
    assert on_files(tmp_path, f"name='g'\nkernel='{kernel}'\nmemory=64\n") == set()
    assert on_files(tmp_path, f"name='g'\nkernel='{kernel}'\nmemory=1\n") == {"XV043"}
    assert on_files(tmp_path, f"name='g'\nkernel='{bzimage}'\n") == {"XV041"}
    assert on_files(tmp_path, f"name='g'\nkernel='{kernel}'\ndevice_tree='{tree}'\n") == {"XV042"}
    assert on_files(tmp_path, f"name='g'\nkernel='{arm32}'\nmemory=64\n") == set()
    assert on_files(tmp_path, f"name='g'\nkernel='{arm32}'\nmemory=64\nsve='128'\n") == {"XV064"}
    for missing in ("ramdisk='/no/r'", "device_tree='/no/d'", "disk=['/no/disk,,xvda']"):
        assert on_files(tmp_path, f"name='g'\nkernel='{kernel}'\n{missing}\n") == {"XV040"}
    assert on_files(tmp_path, f"name='g'\nbootloader='pygrub'\nkernel='/in/disk'\ndisk=['{kernel},,xvda']\n") == set()


def test_what_a_bzimage_is_called(tmp_path: Path) -> None:
    bzimage = write(tmp_path, "bzImage", b"MZ".ljust(0x202, b"\0") + b"HdrS" + bytes(64))
    path = write(tmp_path, "g.cfg", f"name='g'\nkernel='{bzimage}'\n".encode())
    (one,) = check_files([path])
    assert [finding.message for finding in one.findings] == [f"{bzimage}: a kernel of x86 (bzImage), not of ARM"]


def test_a_file_that_is_not_there() -> None:
    (one,) = check_files(["/no/such.cfg"])
    assert [(finding.rule, finding.severity) for finding in one.findings] == [("XV000", "error")]


def test_files_are_left_alone_on_request(tmp_path: Path) -> None:
    path = write(tmp_path, "g.cfg", b"name='g'\nkernel='/no/kernel'\n")
    (one,) = check_files([path], look_at_files=False)
    assert one.findings == ()


@settings(max_examples=100)
@given(st.lists(st.binary(max_size=60), min_size=1, max_size=3))
def test_never_raises_and_always_names_a_rule(texts: list[bytes]) -> None:
    known = {rule.id for rule in rules()}
    for one in check_texts([(str(n), BASE.encode() + text, "") for n, text in enumerate(texts)]):
        assert all(finding.rule in known for finding in one.findings)
