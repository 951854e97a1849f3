"""dom0's command server and the host's client, talking to each other on this machine."""

import importlib.machinery
import importlib.util
import io
import os
import pathlib
import socket
import threading
import time
from collections.abc import Iterator
from types import ModuleType

import pytest

from xenvm.lab import client
from xenvm.lab.errors import Disconnected, LabError

ASSET = pathlib.Path(client.__file__).parent / "assets/server"


@pytest.fixture
def server(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    loader = importlib.machinery.SourceFileLoader("lab_server", str(ASSET))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("lab_server", loader))
    loader.exec_module(module)
    (tmp_path / "token").write_text("secret\n")
    (tmp_path / "ready").touch()
    module.TOKEN, module.READY = str(tmp_path / "token"), str(tmp_path / "ready")
    return module


@pytest.fixture
def address(server: ModuleType) -> Iterator[client.Address]:
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def accept() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=server.serve, args=(sock,)))
            threads[-1].start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    yield client.Address(listener.getsockname()[1], "secret")
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    for thread in (acceptor, *threads):
        thread.join(10)
        assert not thread.is_alive()


def sh(address: client.Address, script: str, **options: object) -> client.Result:
    return client.run(address, ["/bin/sh", "-c", script], **options)  # type: ignore[arg-type]


def test_output_error_and_code_are_kept_apart(address: client.Address) -> None:
    result = sh(address, "echo out; echo err >&2; exit 3")
    assert (result.stdout, result.stderr, result.rc) == ("out\n", "err\n", 3)


def test_a_signal_is_a_negative_code(address: client.Address) -> None:
    assert sh(address, "kill -9 $$").rc == -9


def test_a_missing_program_is_127_as_in_a_shell(address: client.Address) -> None:
    result = client.run(address, ["/no/such/program"])
    assert result.rc == 127
    assert "/no/such/program" in result.stderr


def test_folder_and_environment(address: client.Address, tmp_path: pathlib.Path) -> None:
    result = sh(address, 'pwd; echo "$WORD"', cwd=str(tmp_path), env={"WORD": "two words"})
    assert result.stdout == f"{tmp_path}\ntwo words\n"


def test_output_is_passed_on_as_it_comes(address: client.Address) -> None:
    seen: list[tuple[int, bytes]] = []
    sh(address, "echo a; echo b >&2", on_output=lambda stream, data: seen.append((stream, data)))
    assert sorted(seen) == [(1, b"a\n"), (2, b"b\n")]


def test_standard_input_is_closed_unless_given(address: client.Address) -> None:
    assert client.run(address, ["cat"]).stdout == ""


def test_more_input_than_pipes_hold_comes_back_whole(address: client.Address) -> None:
    data = bytes(range(32, 127)) * 40_000
    assert client.run(address, ["cat"], stdin=data).stdout == data.decode()


def test_a_command_need_not_read_its_input(address: client.Address) -> None:
    assert client.run(address, ["head", "-c", "3"], stdin=b"abc" * 1_000_000).stdout == "abc"


def test_time_out_kills_the_whole_group(address: client.Address, tmp_path: pathlib.Path) -> None:
    result = sh(address, f"sleep 60 & echo $! > {tmp_path}/pid; sleep 60", timeout=0.5)
    assert (result.rc, result.timed_out) == (124, True)
    assert ended(int((tmp_path / "pid").read_text()))


def test_a_peer_that_goes_takes_its_command_along(address: client.Address, tmp_path: pathlib.Path) -> None:
    request = {"op": "run", "argv": ["/bin/sh", "-c", f"echo $$ > {tmp_path}/pid; sleep 60"]}
    with client.Connection(address, request, 10):
        wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    assert ended(int((tmp_path / "pid").read_text()))


def test_a_command_in_the_background_lives_on(address: client.Address) -> None:
    begun = time.monotonic()
    result = sh(address, "sleep 60 & echo $!")
    assert time.monotonic() - begun < 30
    pid = int(result.stdout)
    os.kill(pid, 9)


def test_a_terminal_has_the_asked_size(address: client.Address) -> None:
    request = {"op": "run", "argv": ["/bin/sh", "-c", "stty size; read x; echo got $x"], "tty": [30, 100]}
    with client.Connection(address, request, 10) as connection:
        connection.send(b"I", b"word\r")
        said = b"".join(data for _, data in connection.output())
    assert b"30 100" in said
    assert b"got word" in said
    assert connection.result["rc"] == 0


def test_put_and_get(address: client.Address, tmp_path: pathlib.Path) -> None:
    data, path = os.urandom(700_000), tmp_path / "new/folder/file"
    client.put(address, io.BytesIO(data), str(path), 0o750)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (data, 0o750)
    back = io.BytesIO()
    client.get(address, str(path), back)
    assert back.getvalue() == data
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_put_onto_a_folder_and_get_of_nothing_are_told(address: client.Address, tmp_path: pathlib.Path) -> None:
    with pytest.raises(LabError, match="IsADirectoryError"):
        client.put(address, io.BytesIO(b"x" * 3_000_000), str(tmp_path), 0o644)
    with pytest.raises(LabError, match="FileNotFoundError"):
        client.get(address, str(tmp_path / "none"), io.BytesIO())


def test_nobody_else_may_run_commands(address: client.Address) -> None:
    with pytest.raises(LabError, match="wrong token"):
        client.run(client.Address(address.port, "guess"), ["/bin/true"])


def test_a_closed_port_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(Disconnected):
        client.run(client.Address(port, "x"), ["/bin/true"])


def ended(pid: int) -> bool:
    def gone() -> bool:
        try:
            return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            return True

    return wait_for(gone)


def wait_for(condition: object, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not (done := condition()) and time.monotonic() < deadline:  # type: ignore[operator]
        time.sleep(0.02)
    return bool(done)
