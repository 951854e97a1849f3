"""The shell, from a pipe and on a pseudo-terminal."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.fakestore import FakeStore
from tests.unit.cli.conftest import Xenvm
from tests.unit.cli.store.conftest import FRONT
from xenvm.cli.store.session import host_opener
from xenvm.host.sim.host import open_world

TOP = Path(__file__).resolve().parents[4]
Script = Callable[..., tuple[int, str, str]]


@pytest.fixture
def script(xenvm: Xenvm, monkeypatch: pytest.MonkeyPatch) -> Script:
    def run(*lines: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        return xenvm("store", "shell")

    return run


def test_places(fake: FakeStore, script: Script) -> None:
    code, out, err = script(
        *("# a remark", "", "pwd", f"cd {FRONT}", "pwd", "read state ../../../name", "cd ..", "list", "cd", "pwd"),
        *("exit", "read /none"),
    )
    assert (code, err) == (0, "")
    assert out.splitlines() == ["/", FRONT, "4", "guest", "51712", "/"]
    assert script("help exit", "quit", "read /none")[:2] == (0, "exit\n  Leave; an open transaction is dropped.\n")


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("nothing", 1, "'nothing' is no command: `help` lists them"),
        ("read", 1, "usage: read [-p] [-R|--raw] [--json] PATH..."),
        ("ls --socket /x", 1, "usage: ls [-f] [-p] [-d|--depth N] [--json] [PATH]..."),
        ("read 'x", 1, "cannot be taken apart"),
        ("read /none", 1, "the store refused read /none: it does not exist (ENOENT)"),
        ("cd /none", 1, "the store refused go to /none: it does not exist (ENOENT)"),
        ("exists /none", 1, ""),
        ("commit", 1, "no transaction is open: `begin` starts one"),
        ("abort", 1, "no transaction is open: `begin` starts one"),
        ("undo", 1, "there is nothing to undo"),
        ("as guest", 1, "'guest' is not a domid"),
        ("help nothing", 1, "'nothing' is no command"),
        ("exit 3", 1, "usage: exit"),
        ("control", 1, "usage: control WORD..."),
    ],
)
def test_a_pipe_stops_at_an_error(fake: FakeStore, script: Script, line: str, code: int, message: str) -> None:
    got, out, err = script(line, "pwd")
    assert (got, out) == (code, "") and message in err


def test_transactions(fake: FakeStore, script: Script) -> None:
    assert script("begin", "write /a 1", "read /a", "abort", "exists /a")[:2] == (1, "1\n")
    assert script("begin", "write /a 1", "rm -y /local", "commit", "read /a")[:2] == (0, "1\n")
    assert fake.get("/local") is None
    assert "open already" in script("begin", "begin")[2]
    code, _out, err = script("begin", "write /b 1")
    assert code == 1 and "was not committed" in err
    assert fake.get("/b") is None


def test_a_pipe_has_to_mean_what_takes_a_guest_down(fake: FakeStore, script: Script) -> None:
    fake.introduced[5] = 1, 1
    code, _out, err = script("rm /local/domain/5", "write /a 1")
    assert code == 1 and "`rm --yes` removes it" in err and fake.get("/a") is None
    assert script("rm -y /local/domain/5", "undo")[:2] == (0, "undone: rm /local/domain/5\n")


def test_a_conflict_ends_the_transaction(fake: FakeStore, script: Script) -> None:
    fake.on_write("/go", lambda path, value: fake.put("/a", "theirs"))
    fake.inject(5, "EAGAIN")  # begin; the look and the write of /a; what undo would have to remove; commit
    code, _out, err = script("begin", "write /a 1", "commit")
    assert code == 1 and "nothing was changed, and the transaction is over" in err


def test_undo(fake: FakeStore, script: Script) -> None:
    before = fake.dump()
    code, out, _err = script(
        *("write /local/domain/5/name x", "rm /local/domain/5/device", "chmod /local n0 r7", "write /x/y 1 /x/z 2"),
        *("undo", "undo", "undo", "undo"),
    )
    assert code == 0
    assert out.splitlines() == [
        "undone: write /x/y /x/z",
        "undone: chmod /local",
        "undone: rm /local/domain/5/device",
        "undone: write /local/domain/5/name",
    ]
    assert sorted(fake.dump().splitlines()) == sorted(before.splitlines())


def test_several_changes_are_all_or_none(fake: FakeStore, script: Script) -> None:
    before = fake.dump()
    assert script("rm /local/domain/5/name /none/at/all")[0] == 1
    assert fake.dump() == before


def test_as_a_guest(fake: FakeStore, script: Script) -> None:
    assert script("as 5", "pwd", "read name", "as", "write /a 1")[:2] == (0, "/local/domain/5\nguest\n")
    for line in ("read odd", "ls /", "write name x", "undo", "watch name", "cd odd"):
        code, out, err = script("as 5", line)
        assert (code, out) == (1, "") and err, line
    assert fake.get("/local/domain/5/name") == b"guest"


def test_as_a_domain_that_does_not_exist(fake: FakeStore, script: Script) -> None:
    said = "xenvm: domain 99 does not exist: this is what it would see\n"
    assert script("as 99", "pwd") == (0, "/local/domain/99\n", said)
    assert script("as 5")[2] == ""


def test_why_a_guest_does_not_see(fake: FakeStore, script: Script) -> None:
    out = script("as 5", "explain odd")[1].splitlines()
    assert out[0] == "/local/domain/5/odd  (n0)"
    assert out[1].startswith("  Domain 5 may neither read nor write it")


def test_a_socket_behind_the_name_alone(
    fake: FakeStore, xenvm: Xenvm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text('{"xenstore": 1, "nodes": [{"path": "/mine", "value": "1"}]}')
    monkeypatch.setattr(sys, "stdin", io.StringIO("read /mine\n"))
    assert xenvm("store", "--socket", str(tmp_path / "file")) == (0, "1\n", "")
    assert xenvm("store", "--no-such")[0] == 2


def test_help(fake: FakeStore, script: Script) -> None:
    out = script("help", "help ls")[1]
    for word in ("chmod", "begin", "undo", "explain", "ls [-f] [-p]", "--depth N"):
        assert word in out
    assert "--socket" not in out


def test_values_need_not_be_utf8(fake: FakeStore) -> None:
    argv = [sys.executable, "-X", "utf8", "-m", "xenvm", "store", "shell"]
    subprocess.run(argv, cwd=TOP, input=b"write /a \xff\xfe\nwrite /b '\xc3\xbc'\n", check=True)
    assert (fake.get("/a"), fake.get("/b")) == (b"\xff\xfe", "ü".encode())


def test_a_lost_connection_is_told(fake: FakeStore, script: Script) -> None:
    fake.inject(2, "close")
    code, out, err = script("begin", "read /local")
    assert (code, out) == (1, "")
    assert "is closed" in err and "makes a new connection; the transaction is lost" in err


# On a terminal.


START = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "xenvm", "store"])
"""
"""Makes the terminal one that can interrupt."""


class Terminal:
    """The shell on a pseudo-terminal."""

    def __init__(self, fake: FakeStore, home: Path, **environment: str) -> None:
        own = {"XDG_STATE_HOME": str(home), "TERM": "xterm", "INPUTRC": "/dev/null", "XENSTORED_PATH": fake.path}
        self.fd, inner = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", START],
            **dict.fromkeys(("stdin", "stdout", "stderr"), inner),
            cwd=TOP,
            env={**os.environ, **own, **environment},
            start_new_session=True,
        )
        os.close(inner)
        self.seen = ""

    def until(self, text: str) -> str:
        """What came until some text, which must come in time."""
        deadline = time.monotonic() + 30
        while text not in self.seen:
            left = deadline - time.monotonic()
            assert left > 0 and select.select([self.fd], [], [], left)[0], f"no {text!r} in {self.seen!r}"
            try:
                self.seen += os.read(self.fd, 4096).decode("utf-8", "replace")
            except OSError:
                raise AssertionError(f"ended without {text!r}: {self.seen!r}") from None
        before, _, self.seen = self.seen.partition(text)
        return before

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def end(self) -> int:
        """Leaves; the exit code."""
        self.type("exit\n")
        return self.process.wait(20)


@pytest.fixture
def terminal(fake: FakeStore, tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    started: list[Terminal] = []

    def start(**environment: str) -> Terminal:
        started.append(Terminal(fake, tmp_path / "state", **environment))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()
        os.close(one.fd)


def test_colours_completion_and_history(fake: FakeStore, terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    shell = terminal(NO_COLOR="")
    shell.until("> ")
    shell.type("cd /lo\t")
    shell.until("cal/")
    shell.type("dom\t5/dev\tv\t\t\n")
    shell.until("vbd/51712\x1b[0m> ")
    shell.type("read state\n")
    assert "\x1b[32m" in shell.until("4 Connected")
    shell.type("tre\t")
    shell.until("tree ")
    shell.type("\n")
    shell.until("grant 8")
    assert shell.end() == 0
    history = tmp_path / "state/xenvm/store_history"
    assert "read state\n" in history.read_text()
    assert history.stat().st_mode & 0o777 == 0o600
    assert history.parent.stat().st_mode & 0o777 == 0o700


def test_answers_stay_out_of_the_history(fake: FakeStore, terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    shell = terminal(NO_COLOR="1")
    shell.until("/> ")
    shell.type("rm /libxl\n")
    shell.until("Go on? [y/N] ")
    shell.type("nonsense\n")
    shell.until("nothing was changed")
    shell.until("/> ")
    assert shell.end() == 0
    assert (tmp_path / "state/xenvm/store_history").read_text().splitlines()[-2:] == ["rm /libxl", "exit"]


def test_no_color(fake: FakeStore, terminal: Callable[..., Terminal]) -> None:
    shell = terminal(NO_COLOR="1")
    shell.until("/> ")
    shell.type(f"read {FRONT}/state\n")
    assert "\x1b[32m" not in shell.until("4 Connected")
    assert shell.end() == 0


def test_a_dangerous_change_asks(fake: FakeStore, terminal: Callable[..., Terminal]) -> None:
    shell = terminal(NO_COLOR="1")
    shell.until("/> ")
    shell.type("rm /local/domain/5\n")
    assert "all that is known of domain 5" in shell.until("Go on? [y/N] ")
    shell.type("n\n")
    shell.until("nothing was changed")
    shell.until("/> ")
    assert fake.get("/local/domain/5") is not None
    shell.type("rm -y /libxl\n")  # there is none, which is no error
    shell.until("/> ")
    shell.type(f"write {FRONT}/state 6\n")
    shell.until("Go on? [y/N] ")
    shell.type("y\n")
    shell.until("/> ")
    assert fake.get(f"{FRONT}/state") == b"6"
    shell.type("write /harmless 1\nundo\n")
    shell.until("undone: write /harmless")
    shell.until("/> ")
    shell.type("control quota\n")
    shell.until("OK")
    shell.type("control quota set nodes 5\n")
    shell.until("changes how the server works")
    shell.until("Go on? [y/N] ")
    shell.type("\n")
    shell.until("nothing was changed")
    shell.until("/> ")
    assert shell.end() == 0


def test_the_terminal_survives_a_lost_connection(fake: FakeStore, terminal: Callable[..., Terminal]) -> None:
    shell = terminal(NO_COLOR="1")
    shell.until("/> ")
    shell.type("begin\nread /local/domain/5/name\n")
    shell.until("guest")
    shell.until("tx 1> ")
    fake.disconnect()
    shell.type("read /local\n")
    shell.until("the transaction is lost")
    shell.until("/> ")
    shell.type("read /local/domain/5/name\n")
    shell.until("guest")
    assert shell.end() == 0


def test_an_interrupt_ends_the_watch_alone(fake: FakeStore, terminal: Callable[..., Terminal]) -> None:
    shell = terminal(NO_COLOR="1")
    shell.until("/> ")
    shell.type("watch -v /local/domain/5/name\n")
    shell.until('name = "guest"')
    fake.put("/local/domain/5/name", "other")
    shell.until('name = "other"')
    shell.type("\x03")
    shell.until("/> ")
    assert not any(connection.watches for connection in fake._connections.values())
    shell.type("\x03\n")
    shell.until("^C")
    shell.type("pwd\n")
    shell.until("\r\n/\r\n")
    shell.until("/> ")
    shell.type("\x04")
    assert shell.process.wait(20) == 0


def test_a_simulated_host_is_free_while_nothing_is_typed(terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    shell = terminal(NO_COLOR="1", XENVM_HOST=f"sim:{tmp_path}/world")
    shell.until("/> ")
    shell.type("write /mine 1\n")
    shell.until("/> ")
    with open_world(f"{tmp_path}/world", tell=pytest.fail) as host:
        assert host.store.read("/mine") == b"1"
        host.store.write("/mine", "2")
    shell.type("read /mine\n")
    shell.until("2\r\n")
    shell.until("/> ")
    shell.type("write /local/domain/0/name x\n")
    shell.until("Go on? [y/N] ")
    with open_world(f"{tmp_path}/world", tell=pytest.fail) as host:
        assert host.store.read("/local/domain/0/name") == b"Domain-0"
    shell.type("y\nread /mi\t\n")
    shell.until("2\r\n")
    shell.until("/> ")
    with open_world(f"{tmp_path}/world", tell=pytest.fail) as host:
        assert host.store.read("/local/domain/0/name") == b"x"
    shell.type("undo\n")
    shell.until("undone: write /local/domain/0/name")
    shell.until("/> ")
    shell.type("begin\n")
    shell.until("tx 1> ")
    fd = os.open(tmp_path / "world/lock", os.O_RDWR)
    with pytest.raises(BlockingIOError):  # an open transaction keeps it
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(fd)
    assert shell.end() == 0


def test_what_there_is_to_say_of_a_host_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[bool] = []
    monkeypatch.setattr("xenvm.cli.run.open_host", lambda quietly: said.append(quietly))
    opened = host_opener()
    opened(), opened()
    assert said == [False, True]


def test_without_readline(fake: FakeStore) -> None:
    code = "import sys; sys.modules['readline'] = None; from xenvm.cli.store.lines import _readline; print(_readline())"
    done = subprocess.run([sys.executable, "-c", code], cwd=TOP, capture_output=True, text=True, check=True)
    assert done.stdout == "None\n"


def test_a_watch_lets_go_of_a_simulated_host_too(terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    shell = terminal(NO_COLOR="1", XENVM_HOST=f"sim:{tmp_path}/world")
    shell.until("/> ")
    shell.type("watch -v /mine\n")
    shell.until("/mine  (none)")
    with open_world(f"{tmp_path}/world") as host:
        host.store.write("/mine", "1")
    shell.until('/mine = "1"')
    shell.type("\x03")
    shell.until("/> ")
    with open_world(f"{tmp_path}/world", tell=pytest.fail) as host:
        host.store.write("/mine", "2")
    shell.type("read /mine\n")
    shell.until("2\r\n")
    assert shell.end() == 0
