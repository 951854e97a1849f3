"""A bootloader in the host: how it is called, what becomes of what it says, and what is left of it."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import pytest

from tests.support.fakehost import FakeHost, image
from xenvm.errors import ConfigError, HostError, ImageError
from xenvm.guest.blueprint import HostFacts, draw
from xenvm.host.plumbing import bootloader
from xenvm.ops.bootloader import Booted

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
        ("kill -9 $$", HostError, "was killed by signal 9: it said nothing"),
        ("echo nothing here; exit 0", ImageError, "found no kernel in it: nothing here"),
        (": >$to/r; printf 'ramdisk %s\\0' $to/r >$output", ImageError, "found no kernel in it: it said nothing"),
        ("printf 'kernel /etc/passwd\\0' >$output", HostError, "named '/etc/passwd', which is no file in the folder"),
        ("ln -s /etc/passwd $to/k; printf 'kernel %s\\0' $to/k >$output", HostError, "k', which is no file in"),
        ("printf 'kernel %s\\0' $to >$output", HostError, "which is no file in the folder"),
        ("printf 'kernel \\0' >$output", HostError, "named '', which"),
        ("printf 'kernel %s/k\\0' $to >$output", HostError, "k', which is no file in the folder"),
        ("rm $output", HostError, "left nothing to read of what it chose: No such file"),
        ("rm $output; ln -s /etc/passwd $output", HostError, "left nothing to read"),
        ("printf 'args \\377\\0' >$output", HostError, "no text"),
        ("head -c 70000 /dev/zero >$output", HostError, "more than 65536 bytes"),
        ("head -c 300000 /dev/zero | tr '\\0' x; echo; echo the end; exit 1", HostError, r"failed \(1\): the end"),
    ],
)
def test_a_bootloader_that_fails(boots: FakeHost, body: str, kind: type[Exception], reason: str) -> None:
    with pytest.raises(kind, match=reason):
        boots.create(bootloader=program(boots, body))
    assert left(boots) == [] and len(boots.hyper.all) == 1


def running(group: int) -> list[str]:
    """The processes of a group that are not dead yet; who collects them is not of interest."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _parent, of = path.read_text().rpartition(") ")[2].split()[:3]
            found += [path.parent.name] if int(of) == group and state not in "ZX" else []
    return found


@pytest.mark.parametrize("body", ["exec sleep 100", "exec sleep 100 <&- >&- 2>&-", "yes", "sleep 100 & wait"])
def test_one_that_takes_too_long(boots: FakeHost, tmp_path: Path, body: str) -> None:
    """Whether it still has its terminal or not; what it has started ends as well."""
    pid = tmp_path / "pid"
    path = program(boots, f"echo $$ >{pid}; {body}")
    with pytest.raises(HostError, match=r"was not done within 0\.5 s"):
        bootloader.run([path], str(tmp_path / "output"), seconds=0.5)
    assert running(int(pid.read_text())) == []


def test_one_that_leaves_a_process_behind(boots: FakeHost, tmp_path: Path) -> None:
    """It is done when it ends, not when its terminal is closed."""
    path = program(boots, "echo done; sleep 100 &")
    assert bootloader.run([path], str(tmp_path / "output"), seconds=60) == "done"


def test_an_interrupt_ends_it(boots: FakeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_args: object) -> None:
        raise KeyboardInterrupt

    spawned: list[int] = []
    spawn = bootloader._spawn
    monkeypatch.setattr(bootloader, "_spawn", lambda *args: spawned.append(spawn(*args)) or spawned[0])
    monkeypatch.setattr(bootloader, "_listen", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bootloader.run([program(boots, "sleep 100")], str(tmp_path / "output"))
    with pytest.raises(ProcessLookupError):
        os.kill(spawned[0], 0)


def test_its_files_have_a_limit(boots: FakeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootloader, "FILE_LIMIT", 1 << 20)
    path = program(boots, f"sleep 0.2; head -c 2000000 /dev/zero >{tmp_path}/kernel")
    with pytest.raises(HostError, match="failed"):
        bootloader.run([path], str(tmp_path / "output"))
    assert (tmp_path / "kernel").stat().st_size <= 1 << 20


def test_its_environment_is_that_of_the_command(
    boots: FakeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYGRUB_MAX_FILE_SIZE_MB", "64")
    path = program(boots, "echo $PYGRUB_MAX_FILE_SIZE_MB $TERM")
    assert bootloader.run([path], str(tmp_path / "output")) == "64 vt100"


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (b"", "it said nothing"),
        (b"\x1b[?1049h\x1b(B\x1b)0\r\n\x1b[m", "it said nothing"),
        (b"Traceback:\r\n  raise X\r\nRuntimeError: no  kernel\r\n\r\n", "RuntimeError: no kernel"),
        (b"\x1b[0;7mFirst\x1b[m entry\x1b[24;1H", "First entry"),
        (b"x" * 1000, "x" * 300),
    ],
)
def test_last_words(said: bytes, line: str) -> None:
    assert bootloader.last_line(said) == line


def test_no_command_line_but_the_bootloaders(boots: FakeHost) -> None:
    """As libxl does it: what the configuration says is for the bootloader to use."""
    body = "cp {folder}/inside $to/k; printf 'kernel %s\\0' $to/k >$output"
    spec = boots.spec(bootloader=program(boots, body), cmdline="quiet", ramdisk=None)
    assert spec.bootloader is not None
    with Booted(boots.host, spec, spec.bootloader) as booted:
        assert booted.cmdline == "" and booted.ramdisk is None


def test_one_on_the_path(boots: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    path = program(boots, GOOD)
    monkeypatch.setenv("PATH", f"{boots.folder}:{os.environ['PATH']}")
    assert bootloader.find("boot", (4, 20)) == path


def test_a_program_that_is_not_there(boots: FakeHost) -> None:
    for name in ("/no/such", "no-such"):
        with pytest.raises(ConfigError, match=f"there is no program {name} on this host"):
            boots.create(bootloader=name)


def test_no_disk_to_look_into(boots: FakeHost) -> None:
    with pytest.raises(ConfigError, match="needs a disk to look into"):
        boots.create(bootloader=program(boots, GOOD), disk=[])
    with pytest.raises(ConfigError, match="cannot look into xvda"):
        boots.create(bootloader=program(boots, GOOD), disk=["script=block-nbd,vdev=xvda,target=x"])
    with pytest.raises(ConfigError, match="cannot look into xvda, which is qcow2 and not raw"):
        boots.create(bootloader=program(boots, GOOD), disk=["/x,qcow2,xvda"])
    with pytest.raises(ConfigError, match="cannot look into xvda, which is empty and not raw"):
        boots.create(bootloader=program(boots, GOOD), disk=[",,xvda,cdrom"])


def test_restricted_ones_run_as_somebody(boots: FakeHost) -> None:
    with pytest.raises(HostError, match="there is no user nobody-here"):
        boots.create(bootloader=program(boots, GOOD), bootloader_restrict=1, bootloader_user="nobody-here")
    with pytest.raises(HostError, match="no user xen-qemuuser-range-base or xen-qemuuser-shared"):
        boots.create(bootloader=program(boots, GOOD), bootloader_restrict=1)
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
