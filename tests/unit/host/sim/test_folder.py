"""A world between commands: they share it, one at a time, as an ordinary user."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path
from threading import Timer

import pytest

from tests.support.simworld import MAC, arm64_image
from xenvm.errors import HostError
from xenvm.host.sim.folder import _FORMAT, WorldFolder, usual_folder
from xenvm.host.sim.host import open_world

TOP = Path(__file__).resolve().parents[4]


class User:
    """Somebody at a shell."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.world = folder, folder / "world"
        (folder / "Image").write_bytes(arm64_image())
        (folder / "disk.img").write_bytes(bytes(1 << 16))
        (folder / "g.cfg").write_text(
            f"name='g'\nkernel='{folder}/Image'\nmemory=64\nvcpus=2\n"
            f"disk=['{folder}/disk.img,raw,xvda,rw']\nvif=['mac={MAC}']\n"
        )

    def run(self, *words: str, typed: str = "", host: str | None = None) -> subprocess.CompletedProcess[str]:
        """One command, in a process of its own."""
        environment = {**os.environ, "XENVM_HOST": f"sim:{self.world}" if host is None else host}
        environment["XDG_STATE_HOME"] = str(self.folder / "state")
        return subprocess.run(
            [sys.executable, "-m", "xenvm", *words],
            input=typed,
            env=environment,
            cwd=TOP,
            capture_output=True,
            text=True,
        )

    def xenvm(self, *words: str, typed: str = "") -> str:
        """The output of a command that must succeed and say nothing else."""
        done = self.run(*words, typed=typed)
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout


@pytest.fixture
def user(tmp_path: Path) -> User:
    return User(tmp_path)


def test_a_guest_lives_on_between_commands(user: User) -> None:
    user.xenvm("create", "-q", f"{user.folder}/g.cfg")
    assert user.xenvm("list").splitlines()[2].split()[:6] == ["g", "1", "64", "2", "-b----", "0.0"]
    output = user.xenvm("console", "g", typed="lsblk\n")
    assert "Booting Linux" in output and "51712 65536" in output, "the disk works over its ring"
    assert "Booting Linux" not in user.xenvm("console", "g"), "what was read is read"
    user.xenvm("pause", "g")
    assert user.xenvm("list").splitlines()[2].split()[4] == "--p---"
    user.xenvm("unpause", "g")
    assert user.run("shutdown", "-w", "g").returncode == 0
    assert len(user.xenvm("list").splitlines()) == 2, "the monitor's work is done"
    left = {path.name for path in user.world.iterdir()}
    assert left == {"world.json", "lock", "console", "userdata", "monitor.log"}


def test_the_option_is_before_the_command(user: User) -> None:
    there = f"sim:{user.folder}/there"
    assert user.run("--host", there, "create", "-q", f"{user.folder}/g.cfg").returncode == 0
    assert "g " in user.run(f"--host={there}", "list").stdout
    assert "g " in user.run("--debug", "--host", there, "list").stdout
    assert "g " not in user.xenvm("list"), "another world"
    wrong = user.run("--host", "kvm", "list")
    assert (wrong.returncode, wrong.stderr) == (
        1,
        "xenvm: 'kvm' names no host: there are xen, sim, sim:FOLDER and libvirt:URI\n",
    )


@pytest.mark.skipif(os.path.exists("/proc/xen"), reason="this is a Xen host")
def test_without_a_choice_it_says_that_it_is_simulated(user: User) -> None:
    done = user.run("list", host="")
    assert done.returncode == 0 and "Domain-0" in done.stdout
    assert done.stderr == "xenvm: this machine has no Xen: the host is simulated, and no guest really runs\n"
    assert (user.folder / "state/xenvm/sim/world.json").exists()


def test_nobody_else_can_look(user: User) -> None:
    user.xenvm("create", "-q", f"{user.folder}/g.cfg")
    assert user.world.stat().st_mode & 0o777 == 0o700
    files = [path for path in user.world.rglob("*") if path.is_file()]
    assert {"world.json", "ram-1", "guest-g.log"} <= {path.name for path in files}
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert (user.world / "ram-1").stat().st_blocks * 512 < 4 << 20, "memory that is not written costs nothing"


def test_one_command_at_a_time(tmp_path: Path) -> None:
    with open_world(str(tmp_path)):
        fd = os.open(tmp_path / "lock", os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(fd)


def test_who_is_waited_for_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xenvm.host.sim.folder.PATIENCE", 0.0)
    monkeypatch.setattr(sys, "argv", ["/usr/lib/xenvm/__main__.py", "store", "shell\n\x1b[2J"])
    first = WorldFolder(str(tmp_path))
    told: list[str] = []

    def tell(text: str) -> None:
        told.append(text)
        first.close()

    WorldFolder(str(tmp_path), tell).close()
    who = f"process {os.getpid()} (xenvm store shell??[2J)"
    assert told == [f"waiting for the simulated host in {tmp_path}, which {who} has"]
    assert (tmp_path / "lock").read_bytes() == b""


@pytest.mark.parametrize("text", [b"", b"\xff\xff", b"12x y", b"x" * 5000])
def test_a_lock_that_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: bytes) -> None:
    monkeypatch.setattr("xenvm.host.sim.folder.PATIENCE", 0.0)
    first = WorldFolder(str(tmp_path))
    (tmp_path / "lock").write_bytes(text)
    told: list[str] = []
    WorldFolder(str(tmp_path), lambda told_: (told.append(told_), first.close())).close()
    assert told[0].endswith(", which another process has")


def test_a_short_wait_is_not_told(tmp_path: Path) -> None:
    """The lock comes free after the first try, before anybody's patience is at its end."""
    first = WorldFolder(str(tmp_path))
    Timer(0.01, first.close).start()
    told: list[str] = []
    WorldFolder(str(tmp_path), told.append).close()
    assert told == []


def test_a_command_says_on_stderr_whom_it_waits_for(user: User) -> None:
    first = WorldFolder(str(user.world))
    environment = {**os.environ, "XENVM_HOST": f"sim:{user.world}"}
    argv = [sys.executable, "-m", "xenvm", "list"]
    with subprocess.Popen(argv, cwd=TOP, env=environment, stdout=-1, stderr=-1, text=True) as waiting:
        assert waiting.stderr is not None and waiting.stdout is not None
        said = waiting.stderr.readline()
        first.close()
        assert "Domain-0" in waiting.stdout.read() and waiting.stderr.read() == ""
    assert said.startswith(f"xenvm: waiting for the simulated host in {user.world}, which process {os.getpid()} (")


def test_who_only_looks_writes_nothing(tmp_path: Path) -> None:
    open_world(str(tmp_path)).close()
    before = (tmp_path / "world.json").stat().st_ino
    with open_world(str(tmp_path)) as host:
        host.hyper.domains()
    assert (tmp_path / "world.json").stat().st_ino == before


def test_a_killed_command_has_changed_nothing(user: User) -> None:
    user.xenvm("create", "-q", f"{user.folder}/g.cfg")
    before = (user.world / "world.json").read_text()
    code = (
        "import os, signal\nfrom xenvm.host.open import open_host\nfrom xenvm.ops.destroy import destroy\n"
        "host = open_host()\nhost.world.hyper._new_ram(9).window(0x40000, 1)\n"
        "destroy(host, 1, host.hyper.domain(1).uuid)\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = {**os.environ, "XENVM_HOST": f"sim:{user.world}"}
    assert subprocess.run([sys.executable, "-c", code], cwd=TOP, env=environment).returncode == -9
    assert (user.world / "world.json").read_text() == before
    assert "g " in user.xenvm("list")
    assert "#" in user.xenvm("console", "g", typed="nproc\n"), "its memory is there"
    user.xenvm("destroy", "g")
    assert not list(user.world.glob("ram-*")), "what the other one left is gone too"


def test_another_machine(tmp_path: Path) -> None:
    (tmp_path / "machine.json").write_text(json.dumps({"xen": [4, 17], "gic": 2, "memory": 512}))
    for _ in range(2):  # a new world, and the same one again
        with open_world(str(tmp_path)) as host:
            assert host.hyper.version.release == (4, 17)
            assert host.hyper.physinfo().free_kib == 512 * 1024


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("world.json", "{", "is no JSON"),
        ("world.json", "[]", "does not describe a simulated host"),
        ("world.json", '{"format": 99}', "was written by another version of xenvm"),
        ("world.json", f'{{"format": {_FORMAT}}}', "cannot be taken up again"),
        ("machine.json", '{"xen": [5, 0]}', "no simulation of Xen 5.0"),
    ],
)
def test_a_damaged_world(tmp_path: Path, name: str, text: str, reason: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(HostError, match=reason):
        open_world(str(tmp_path))
    WorldFolder(str(tmp_path)).close()  # the lock was given back


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HostError, match="cannot keep a simulated host: "):
        open_world(str(tmp_path / "file" / "world"))


def test_the_usual_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert usual_folder() == "/state/xenvm/sim"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/u")
    assert usual_folder() == "/home/u/.local/state/xenvm/sim"
