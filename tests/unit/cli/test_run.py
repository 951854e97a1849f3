"""Exit codes, one line for each error, and what happens when nobody listens or somebody types ^C."""

from __future__ import annotations

import errno
import os
import sys

import pytest

from tests.support.fakehost import FakeHost
from tests.unit.cli.conftest import Xenvm
from xenbus import errors as store
from xenvm import errors
from xenvm.cli import run
from xenvm.cli.rows import Command
from xenvm.types import Domid

CODES = [
    (errors.XenvmError("x"), 1, "x"),
    (errors.NoSuchDomain("g"), 3, "g is an invalid domain identifier"),
    (errors.DomainExists("x"), 4, "x"),
    (errors.DomainError("x"), 1, "x"),
    (errors.NoSuchPool("p"), 1, "there is no cpupool 'p' on this host"),
    (errors.WaitTimeout("x"), 5, "x"),
    (store.StoreTimeout("x"), 5, "x"),
    (errors.ConfigError("bad", source="g.cfg", line=3, column=7), 6, "g.cfg:3:7: bad"),
    (errors.ImageError("/Image", "an empty file"), 6, "/Image: an empty file"),
    (errors.HostError("x"), 1, "x"),
    (errors.HostAtRest("x"), 1, "x"),
    (errors.UnsupportedError("x"), 7, "x"),
    (errors.HypercallError("max_mem", errno.ENOMEM, domid=3), 8, "max_mem for domain 3: ENOMEM"),
    (errors.DeviceError("vif 0", "no bridge"), 9, "vif 0: no bridge"),
    (errors.NoSuchDevice("vbd xvdb", "domain 1 has no such device"), 9, "vbd xvdb: domain 1 has no such device"),
    (store.StoreClosed("/run/s", "the server ended it"), 1, "the connection to the store at /run/s is closed: "),
    (store.store_error("EACCES", "read", "/a"), 1, "the store refused read /a: permission denied (EACCES)"),
    (OSError(errno.ENOSPC, "No space left on device", "/var/x"), 1, "/var/x: No space left on device"),
]


def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException | None, result: object = None) -> Command:
    """A command that raises, or gives a result."""

    def call() -> object:
        if error is not None:
            raise error
        return result

    monkeypatch.setattr("xenvm.cli.domains.domid", call)
    return Command("test", "", "domains:domid")


@pytest.mark.parametrize(("error", "code", "text"), CODES, ids=lambda value: type(value).__name__)
def test_errors_and_their_codes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, code: int, text: str
) -> None:
    assert run.run(raising(monkeypatch, error), {}) == code
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"xenvm: {text}") and err.count("\n") == 1


def test_every_kind_of_error_has_its_code() -> None:
    """A new kind must be given a code on purpose: this list is the one in the documentation."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.XenvmError)]
    assert set(kinds) == {type(error) for error, _, _ in CODES if isinstance(error, errors.XenvmError)}


def test_results(monkeypatch: pytest.MonkeyPatch) -> None:
    for result, code in ((None, 0), (0, 0), (9, 9), (True, 1)):
        assert run.run(raising(monkeypatch, None, result), {}) == code


def test_notes_are_lines_of_their_own(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    error = errors.HostError("first")
    error.add_note("second")
    run.run(raising(monkeypatch, error), {})
    assert capsys.readouterr().err == "xenvm: first\nxenvm: second\n"


def test_debug_shows_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "debug", True)
    with pytest.raises(errors.HostError):
        run.run(raising(monkeypatch, errors.HostError("x")), {})


def test_our_own_mistakes_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZeroDivisionError):
        run.run(raising(monkeypatch, ZeroDivisionError()), {})


def test_interrupted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    error = KeyboardInterrupt()
    error.add_note("domain 3 still exists")
    assert run.run(raising(monkeypatch, error), {}) == 130
    assert capsys.readouterr().err == "xenvm: domain 3 still exists\n"


def test_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "dup2", lambda source, target: sent.append((source, target)))
    assert run.run(raising(monkeypatch, BrokenPipeError()), {}) == 0
    ((_null, target),) = sent
    assert target == 1


def test_an_answer_is_given_though_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    monkeypatch.setattr(os, "dup2", lambda source, target: sent.append(target))
    with run.Answer():
        raise BrokenPipeError
    with pytest.raises(ValueError), run.Answer():
        raise ValueError
    assert sent == [1]


def test_nobody_who_reads_complaints_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []

    class Closed:
        def write(self, text: str) -> None:
            raise BrokenPipeError

    monkeypatch.setattr(os, "dup2", lambda source, target: sent.append(target))
    monkeypatch.setattr(sys, "stderr", Closed())
    assert run.run(raising(monkeypatch, errors.DomainExists("x")), {}) == 4
    assert sent == [2]


def test_leaving_flushes(monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    flushed: list[str] = []

    class Stream:
        def flush(self) -> None:
            flushed.append("x")
            if len(flushed) > 2:
                raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Stream())
    monkeypatch.setattr(sys, "stderr", Stream())
    run.leave(4)
    run.leave(5)
    assert codes == [4, 5] and len(flushed) == 3


# Real commands.


def test_a_command_closes_its_host(world: FakeHost, xenvm: Xenvm) -> None:
    xenvm("list")
    assert world.hyper.closed == 1


@pytest.mark.parametrize(
    ("words", "code"),
    [([], 2), (["nonsense"], 2), (["list", "--nonsense"], 2), (["destroy"], 2), (["d"], 2), (["shutdown"], 2)],
)
def test_wrong_command_lines(world: FakeHost, xenvm: Xenvm, words: list[str], code: int) -> None:
    got, _, err = xenvm(*words)
    assert got == code or (words == [] and got in (0, 2)), err
    assert not world.hyper.log


def test_power_commands(world: FakeHost, xenvm: Xenvm) -> None:
    domid = world.create()
    guest = world.hyper.all[domid]
    assert xenvm("pause", "g") == (0, "", "") and guest.pauses == 1
    assert xenvm("unpause", "g") == (0, "", "") and not guest.pauses
    assert xenvm("unpause", "g")[0] == 8
    world.store.on_write(
        f"/local/domain/{domid}/control/shutdown", lambda path, value: value and world.store.put(path, "")
    )
    assert xenvm("shutdown", "g") == (0, "", "Shutting down domain 1\n")
    assert xenvm("reboot", "-a") == (0, "", "Rebooting domain 1\n")
    assert xenvm("shutdown", "-a", "g")[0] == 2
    assert xenvm("destroy", "g") == (0, "", "")
    assert xenvm("destroy", "g") == (3, "", "xenvm: g is an invalid domain identifier\n")
    assert xenvm("destroy", "0") == (1, "", "xenvm: domain 0 is this host: the command is for guests\n")


def test_destroy_tells_what_did_not_go(world: FakeHost, xenvm: Xenvm) -> None:
    world.patch.setattr("xenvm.ops.destroy.CLOSE_SECONDS", 0.0)
    world.patch.setattr("xenvm.ops.destroy.GONE_SECONDS", 0.0)
    world.create(vif=None)
    world.store.closing = False
    code, _, err = xenvm("destroy", "g")
    assert (code, err.count("\n")) == (9, 1) and "vbd 51712 of domain 1 did not close" in err
    domid = world.create(vif=None, disk=None)
    world.hyper.all[domid].held = True
    code, _, err = xenvm("destroy", "g")
    assert (code, err) == (1, "xenvm: domain 2 is dead, but some of its pages are still held by another domain\n")
    world.hyper.all.pop(Domid(2))
