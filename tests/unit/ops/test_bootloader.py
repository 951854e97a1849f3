"""A bootloader in the host: how it is called, what becomes of what it says, and what is left of it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.support.fakehost import FakeHost, image
from xenvm.errors import ConfigError, HostError, ImageError
from xenvm.guest.blueprint import HostFacts, draw
from xenvm.host.plumbing import bootloader

PROGRAM = """#!/bin/sh
printf '%s\\n' "$@" >{folder}/arguments
for word in "$@"; do
    case $word in --output=*) output=${{word#*=}};; --output-directory=*) to=${{word#*=}};; esac
done
{body}
"""
GOOD = """
cp {folder}/inside $to/kernel
printf 'kernel %s\\0args root=/dev/xvda2 quiet\\0' $to/kernel >$output
"""


@pytest.fixture
def boots(world: FakeHost, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    """A host whose temporary files lie in the test's folder."""
    monkeypatch.setattr(bootloader, "PARENT", str(world.folder))
    world.file("inside", image(5000))
    return world


def program(world: FakeHost, body: str) -> str:
    text = PROGRAM.format(folder=world.folder, body=body.format(folder=world.folder))
    path = str(world.file("boot", text.encode()))
    os.chmod(path, 0o755)
    return path


def left(world: FakeHost) -> list[str]:
    return [name for name in os.listdir(world.folder) if name.startswith("xenvm-bootloader")]


def test_the_guest_gets_what_it_chose(boots: FakeHost) -> None:
    path = program(boots, GOOD)
    settings = {"bootloader": path, "bootloader_args": ["-q"], "kernel": "/boot/Image", "ramdisk": None}
    domid = boots.create(**settings)
    assert boots.hyper.all[domid].read(0x40000000, 4096)[:64] == image(5000)[:64]
    words = (Path(boots.folder) / "arguments").read_text().splitlines()
    assert [word.split("=")[0] for word in words[:3]] == ["--output", "--output-format", "--output-directory"]
    assert words[3] == "--kernel=/boot/Image"
    assert words[4] == "-q" and words[5].endswith("disk.img") and len(words) == 6
    assert left(boots) == []


def test_the_record_says_how_it_was_asked_for(boots: FakeHost) -> None:
    path = program(boots, GOOD)
    domid = boots.create(bootloader=path, kernel=None, ramdisk=None)
    uuid = boots.hyper.all[domid].uuid
    record = json.loads(boots.host.plumbing.userdata.UserData(domid, uuid).read_config() or "")
    assert record["b_info"]["bootloader"] == path and "cmdline" not in record["b_info"]
    assert "xenvm-bootloader" not in json.dumps(record)


def test_a_plan_does_not_run_it(boots: FakeHost) -> None:
    with pytest.raises(ConfigError, match="only a creation has the bootloader look for the kernel"):
        draw(boots.spec(bootloader="pygrub"), HostFacts((4, 20)))


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        ("echo 'no such partition' >&2; exit 3", HostError, r"failed \(3\): no such partition"),
        ("exit 1", HostError, "it said nothing"),
        ("kill -9 $$", HostError, r"failed \(-9\)"),
        ("printf 'ramdisk /x\\0' >$output", ImageError, "found no kernel in it"),
        (":", ImageError, "found no kernel in it"),
    ],
)
def test_a_bootloader_that_fails(boots: FakeHost, body: str, kind: type[Exception], reason: str) -> None:
    with pytest.raises(kind, match=reason):
        boots.create(bootloader=program(boots, body))
    assert left(boots) == [] and len(boots.hyper.all) == 1


def test_one_that_takes_too_long(boots: FakeHost, tmp_path: Path) -> None:
    path = program(boots, "exec sleep 100")
    with pytest.raises(HostError, match="it took too long"):
        bootloader.run([path], str(tmp_path / "output"), seconds=0.2)


def test_a_program_that_is_not_there(boots: FakeHost) -> None:
    for name in ("/no/such", "no-such"):
        with pytest.raises(ConfigError, match=f"there is no program {name} on this host"):
            boots.create(bootloader=name)


def test_no_disk_to_look_into(boots: FakeHost) -> None:
    with pytest.raises(ConfigError, match="needs a disk to look into"):
        boots.create(bootloader=program(boots, GOOD), disk=[])
    with pytest.raises(ConfigError, match="cannot look into xvda"):
        boots.create(bootloader=program(boots, GOOD), disk=["script=block-nbd,vdev=xvda,target=x"])


def test_restricted_ones_run_as_somebody(boots: FakeHost) -> None:
    with pytest.raises(HostError, match="there is no user nobody-here"):
        boots.create(bootloader=program(boots, GOOD), bootloader_restrict=1, bootloader_user="nobody-here")
    with pytest.raises(HostError, match="root is root"):
        boots.create(bootloader=program(boots, GOOD), bootloader_restrict=1, bootloader_user="root")
    boots.create(bootloader=program(boots, GOOD), bootloader_restrict=1, bootloader_user="daemon", ramdisk=None)
    words = (Path(boots.folder) / "arguments").read_text().splitlines()
    assert any(word.startswith("--runas=") for word in words) and "--quiet" in words


@pytest.mark.parametrize(
    ("output", "found"),
    [
        (b"", {}),
        (b"kernel /k\0ramdisk /r\0args a b\0", {"kernel": "/k", "ramdisk": "/r", "cmdline": "a b"}),
        (b"kernel   /k", {"kernel": "/k"}),
        (b"kernels /k\0other\0", {}),
        (b"args \0", {"cmdline": ""}),
    ],
)
def test_what_it_writes(tmp_path: Path, output: bytes, found: dict[str, str]) -> None:
    (tmp_path / "output").write_bytes(output)
    assert bootloader.read_choice(str(tmp_path / "output")) == found
