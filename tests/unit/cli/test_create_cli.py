"""``xenvm create`` as a user has it: what it prints, what it refuses, and that a refusal has touched nothing."""

from __future__ import annotations

import os
import signal
from collections import namedtuple
from pathlib import Path

import pytest

from tests.support.fakehost import BACKENDS, MAC, FakeHost
from tests.unit.cli.conftest import Xenvm
from xenvm.host.hyper import VersionInfo
from xenvm.host.plumbing import watching
from xenvm.host.xen import hypervisor
from xenvm.host.xen.access import check_host
from xenvm.ops import create, memo, monitor
from xenvm.types import Domid

OTHER = "99999999-2222-3333-4444-555555555555"
QUESTIONS = {"domain", "capabilities", "physinfo", "domains"}


@pytest.fixture(autouse=True)
def monitors(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """The monitors that would have been started."""
    started: list[tuple[object, ...]] = []
    monkeypatch.setattr(monitor, "start", lambda *arguments: started.append(arguments[1:]))
    return started


def test_success(world: FakeHost, xenvm: Xenvm, monitors: list[tuple[object, ...]]) -> None:
    config = world.file("g.cfg", world.config().encode())
    assert xenvm("create", config) == (0, "", f"Parsing config from {config}\n")
    assert world.hyper.all[1].ran  # type: ignore[index]
    assert monitors == [(1, "g")]


def test_what_was_chosen_is_kept(world: FakeHost, xenvm: Xenvm, monitors: list[tuple[object, ...]]) -> None:
    """A guest that reboots comes back with the uuid and the MACs that it had."""
    config = world.file("g.cfg", world.config(uuid=None, vif=["bridge=xenbr0"]).encode())
    assert xenvm("create", "-q", config)[0] == 0
    (uuid,) = world.store.children("/vm")
    kept = memo.read(world.host, Domid(1), uuid)
    assert kept is not None and kept.spec.uuid == uuid and kept.watch == "background"
    assert world.store.get(f"{BACKENDS}/vif/1/0/mac") == (kept.spec.nics[0].mac or "").encode()


def test_a_supervisor_spares_the_monitor(world: FakeHost, xenvm: Xenvm, monitors: list[tuple[object, ...]]) -> None:
    config = world.file("g.cfg", world.config().encode())
    with watching.Duty(watching.SUPERVISOR):
        assert xenvm("create", "-q", config)[0] == 0
    assert monitors == []


def test_options(world: FakeHost, xenvm: Xenvm, monitors: list[tuple[object, ...]]) -> None:
    config = world.file("g.cfg", world.config().encode())
    code, out, err = xenvm("create", "-q", "-p", "-e", "--timing", config, "memory=32", 'name="h"')
    assert (code, out, monitors) == (0, "", [])
    assert world.hyper.all[1].info.paused  # type: ignore[index]
    assert world.store.get("/local/domain/1/name") == b"h"
    assert [line.split()[-1] for line in err.splitlines()] == ["ms"] * len(err.splitlines())
    assert err.splitlines()[-1].startswith("total")
    assert xenvm("create", "-q", "-e", "-f", config, 'name="i"', f"uuid='{OTHER}'", "disk=[]") == (0, "", "")


def test_a_dry_run_touches_nothing(world: FakeHost, xenvm: Xenvm) -> None:
    config = world.file("g.cfg", world.config().encode())
    before = world.traces()
    code, out, _ = xenvm("create", "-n", config)
    assert code == 0 and 'name = "g"' in out and "linux,initrd-start" in out
    assert world.traces() == before and {text.split()[0] for _, text in world.hyper.log} <= QUESTIONS
    assert {operation for operation, _ in world.store.log} <= {"READ", "DIRECTORY"}


def test_warnings_are_no_errors(world: FakeHost, xenvm: Xenvm) -> None:
    config = world.file("g.cfg", world.config(bogus=1).encode())
    code, out, err = xenvm("create", config)
    assert (code, out) == (0, "")
    assert f"{config}:8:1: warning: unknown setting `bogus' is ignored" in err


# Bad input: (name, what the configuration says, exit code, what is said).

Bad = namedtuple("Bad", "name settings code says")
BAD = [
    Bad("kernel missing", {"kernel": "/no/such"}, 6, "xenvm: /no/such: no such file or directory"),
    Bad("kernel a folder", {"kernel": "/"}, 6, "xenvm: /: is a directory"),
    Bad("kernel empty", {"kernel": "{empty}"}, 6, "xenvm: {empty}: an empty file"),
    Bad("kernel of x86", {"kernel": "{elf}"}, 6, "xenvm: {elf}: an ELF file, which cannot be booted on ARM"),
    Bad("kernel nonsense", {"kernel": "{noise}"}, 6, "xenvm: {noise}: neither an arm64 Image nor an arm zImage"),
    Bad("kernel not set", {"kernel": None}, 6, "`kernel' is missing"),
    Bad("ramdisk missing", {"ramdisk": "/no/such"}, 6, "xenvm: /no/such: no such file or directory"),
    Bad("ramdisk empty", {"ramdisk": "{empty}"}, 6, "xenvm: {empty}: an empty file"),
    Bad("tree missing", {"device_tree": "/no/such"}, 6, "xenvm: /no/such: no such file or directory"),
    Bad("tree nonsense", {"device_tree": "{noise}"}, 6, "xenvm: {noise}: "),
    Bad("disk missing", {"disk": ["/no/such,raw,xvda,rw"]}, 9, "xenvm: /no/such: cannot be used as a disk: No such"),
    Bad("disk a folder", {"disk": ["{folder},raw,xvda,rw"]}, 9, "{folder}: is neither a block device nor a regular"),
    Bad("disk read-only", {"disk": ["{readonly},raw,xvda,rw"]}, 9, "{readonly}: is a read-only file, so no guest"),
    Bad("disk qcow2", {"disk": ["{noise},qcow2,xvda,rw"]}, 6, "disk xvda: format qcow2 needs QEMU"),
    Bad("disk vdev", {"disk": ["{noise},raw,sdzzzzz9,rw"]}, 6, "{config}:"),
    Bad("memory too much", {"memory": 9000}, 1, "xenvm: g: not enough memory: it needs 9038 MiB with its"),
    Bad("memory none", {"memory": 0}, 6, "{config}:"),
    Bad("memory too small", {"memory": 1}, 6, "not enough memory: kernel, ramdisk and device tree need more than"),
    Bad("memory a word", {"memory": "much"}, 6, "{config}:"),
    Bad("bridge missing", {"vif": ["bridge=br9"]}, 9, "xenvm: vif 0: the bridge br9 does not exist"),
    Bad("bridge none", {"vif": ["bridge=eth0"]}, 9, "xenvm: vif 0: eth0 is a network interface, but not a bridge"),
    Bad("mac", {"vif": ["mac=zz"]}, 6, "{config}:"),
    Bad("vif script", {"vif": ["script=/no/such"]}, 9, "vif 0: its script /no/such is no program on this host"),
    Bad("name taken", {"name": "taken"}, 4, "xenvm: a domain named 'taken' exists already: domid 1"),
    Bad("uuid taken", {"uuid": OTHER}, 4, f"xenvm: a domain with uuid {OTHER} exists already: domid 1"),
    Bad("uuid", {"uuid": "1234"}, 6, "{config}:"),
    Bad("name not set", {"name": None}, 6, "`name' is missing"),
    Bad("name", {"name": "a/b"}, 6, "`name' cannot hold a slash"),
    Bad("vcpus none", {"vcpus": 0}, 6, "{config}:"),
    Bad("vcpus", {"vcpus": 129}, 6, "{config}:"),
    Bad("vcpus of a GICv2", {"vcpus": 9, "gic_version": "v2"}, 6, "9 vCPUs are too many: a GICv2 has at most 8"),
    Bad("maxvcpus", {"vcpus": 4, "maxvcpus": 2}, 6, "`maxvcpus' (2) is less than `vcpus' (4)"),
    Bad("type", {"type": "hvm"}, 6, "`type' cannot be hvm on ARM"),
    Bad("no iommu", {"dtdev": ["/soc/uart"]}, 7, "passthrough needs an IOMMU that Xen drives"),
    Bad("soft-reset", {"on_crash": "soft-reset"}, 6, "on_crash=soft-reset: Xen on ARM cannot reset a domain softly"),
    Bad("pci", {"pci": ["00:01.0"]}, 6, "`pci' is not possible"),
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD, ids=[bad.name for bad in BAD])
def test_bad_input(world: FakeHost, xenvm: Xenvm, bad: Bad) -> None:
    world.create(name="taken", uuid=OTHER, disk=None, vif=None)
    files = {
        "empty": world.file("empty"),
        "elf": world.file("elf", b"\x7fELF" + bytes(100)),
        "noise": world.file("noise", b"noise" * 30),
        "readonly": world.file("readonly", bytes(512)),
        "folder": str(world.folder),
        "config": str(world.folder / "g.cfg"),
    }
    os.chmod(files["readonly"], 0o444)
    world.config()
    text = world.config(**bad.settings)
    for name, path in files.items():
        text = text.replace(f"{{{name}}}", path)
    world.file("g.cfg", text.encode())
    before, calls, requests = world.traces(), len(world.hyper.log), len(world.store.log)

    code, out, err = xenvm("create", "-q", files["config"])

    assert bad.says.format(**files) in err and (code, out) == (bad.code, "")
    assert err.startswith("xenvm: ") and err.count("\n") == 1, "one line"
    assert world.traces() == before
    assert {text.split()[0] for _, text in world.hyper.log[calls:]} <= QUESTIONS
    assert {operation for operation, _ in world.store.log[requests:]} <= {"READ", "DIRECTORY"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name = \n", ":1:8: config parsing error near <newline>: syntax error"),
        ("name = 'g'\nmemory == 3\n", ":2:"),
        ("name = 'g'\ndisk = [ 'a'\n", ":3:1: "),
        ("name = 'g\n", ":1:8: "),
        ("\x00\x01", ":1:1: "),
        ("memory = 1 2\n", ":1:12: "),
    ],
)
def test_syntax_errors_have_line_and_column(world: FakeHost, xenvm: Xenvm, text: str, says: str) -> None:
    config = world.file("g.cfg", text.encode())
    code, _, err = xenvm("create", "-q", config)
    assert code == 6 and err.startswith(f"xenvm: {config}{says}"), err
    assert not world.hyper.log and not world.store.log


def test_an_override_that_is_wrong_says_so(world: FakeHost, xenvm: Xenvm) -> None:
    config = world.file("g.cfg", world.config().encode())
    code, _, err = xenvm("create", "-q", config, "memory=")
    assert code == 6 and err.count("\n") == 1 and config not in err


@pytest.mark.parametrize("path", ["/no/such.cfg", "/"])
def test_a_configuration_that_cannot_be_read(world: FakeHost, xenvm: Xenvm, path: str) -> None:
    code, _, err = xenvm("create", "-q", path)
    assert code == 6 and err.startswith(f"xenvm: {path}: cannot read the configuration: ") and err.count("\n") == 1


def test_no_configuration(world: FakeHost, xenvm: Xenvm) -> None:
    assert xenvm("create") == (2, "", "xenvm: create needs a configuration file\n")
    assert xenvm("create", "memory=3")[0] == 2


# The wrong host.


@pytest.fixture
def root(world: FakeHost, tmp_path: Path) -> Path:
    """The root of another host's file system; ours asks the real questions there."""
    root = tmp_path / "root"
    (root / "proc/xen").mkdir(parents=True)
    (root / "dev/xen").mkdir(parents=True)
    (root / "dev/xen/privcmd").touch()
    (root / "proc/xen/capabilities").write_text("control_d\n")
    uname = os.uname()
    world.patch.setattr(os, "uname", lambda: namedtuple("uname", "machine nodename")("aarch64", uname.nodename))

    def opened() -> object:
        check_host(f"{root}/")
        return world.hyper

    world.patch.setattr(hypervisor.XenHypervisor, "open", opened)
    return root


def refused(world: FakeHost, xenvm: Xenvm, *command: str) -> str:
    config = world.file("g.cfg", world.config().encode())
    code, out, err = xenvm(*(command or ("create", "-q", config)))
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert not world.hyper.log and not world.store.log
    return err


@pytest.mark.parametrize("command", [(), ("list",), ("destroy", "g"), ("info",)])
def test_not_root(world: FakeHost, xenvm: Xenvm, root: Path, command: tuple[str, ...]) -> None:
    world.patch.setattr(os, "access", lambda path, mode: False)
    assert (
        refused(world, xenvm, *command) == f"xenvm: must be root: {root}/dev/xen/privcmd cannot be opened for writing\n"
    )


def test_not_dom0(world: FakeHost, xenvm: Xenvm, root: Path) -> None:
    (root / "proc/xen/capabilities").write_text("\n")
    assert refused(world, xenvm) == "xenvm: this is a Xen guest, not dom0: only dom0 can drive the host\n"


def test_no_xen(world: FakeHost, xenvm: Xenvm, root: Path) -> None:
    (root / "dev/xen/privcmd").unlink()
    assert refused(world, xenvm) == "xenvm: this is not a Xen host: /dev/xen/privcmd is missing\n"


def test_this_xen_cannot(world: FakeHost, xenvm: Xenvm) -> None:
    config = world.file("g.cfg", world.config(gic_version="v3").encode())
    world.hyper.gic = 2
    before = world.traces()
    assert xenvm("create", "-q", config) == (
        7,
        "",
        f"xenvm: {config}: gic_version=v3: this host has no such controller\n",
    )
    assert world.traces() == before


def test_no_32_bit_guests_here(world: FakeHost, xenvm: Xenvm) -> None:
    head = bytearray(64)
    head[0x24:0x28] = b"\x18\x28\x6f\x01"
    kernel = world.file("zImage", bytes(head) + bytes(4000))
    world.hyper.texts = VersionInfo("xen-3.0-aarch64")
    config = world.file("g.cfg", world.config(kernel=kernel).encode())
    assert xenvm("create", "-q", config) == (
        7,
        "",
        f"xenvm: {kernel}: a 32-bit guest, which this host cannot run\n",
    )


# Late failures.


def test_a_late_failure_says_that_nothing_is_left(world: FakeHost, xenvm: Xenvm) -> None:
    config = world.file("g.cfg", world.config(vif=[f"mac={MAC},script={world.script('vif', 'exit 7')}"]).encode())
    before = world.traces()
    code, _, err = xenvm("create", "-q", config)
    first, second = err.splitlines()
    assert code == 9 and first.startswith("xenvm: vif 0: '") and first.endswith("failed with exit status 7")
    assert "vif 0 of domain 1" in second, "its way back failed too, and that is told"
    assert world.traces() == before


def test_no_console_daemon(world: FakeHost, xenvm: Xenvm) -> None:
    world.patch.setattr(create, "BACKEND_SECONDS", 0.0)
    world.store.console = False
    config = world.file("g.cfg", world.config(disk=None, vif=None).encode())
    code, _, err = xenvm("create", "-q", config)
    assert code == 5
    assert err == (
        "xenvm: gave up waiting for the console daemon; last seen: /local/domain/1/console/tty = ''\n"
        "xenvm: g, domain 1, was not created; nothing of it is left\n"
    )


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_what_ends_the_process_undoes_the_creation(world: FakeHost, xenvm: Xenvm, name: str) -> None:
    number = getattr(signal, name)
    config = world.file("g.cfg", world.config().encode())
    before, handler = world.traces(), signal.getsignal(number)
    world.hyper.on_call["set_entry"] = lambda: os.kill(os.getpid(), number)
    assert xenvm("create", "-q", config) == (130, "", "xenvm: g, domain 1, was not created; nothing of it is left\n")
    assert world.traces() == before
    assert signal.getsignal(number) == handler


def test_nohup_is_respected(world: FakeHost, xenvm: Xenvm) -> None:
    config = world.file("g.cfg", world.config().encode())
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        world.hyper.on_call["set_entry"] = lambda: os.kill(os.getpid(), signal.SIGHUP)
        assert xenvm("create", "-q", config) == (0, "", "")
    finally:
        signal.signal(signal.SIGHUP, before)


def test_interrupted(world: FakeHost, xenvm: Xenvm) -> None:
    config = world.file("g.cfg", world.config().encode())
    before = world.traces()
    world.hyper.fail_at(("set_entry", 1), KeyboardInterrupt())
    assert xenvm("create", "-q", config) == (130, "", "xenvm: g, domain 1, was not created; nothing of it is left\n")
    assert world.traces() == before
