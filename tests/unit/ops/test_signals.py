from __future__ import annotations

import signal

import pytest

from tests.support.fakehost import FakeHost
from xenvm.ops.create import Creation
from xenvm.ops.signals import Endings, Shield


def test_a_signal_waits_until_the_end() -> None:
    reached = False
    with pytest.raises(KeyboardInterrupt), Shield():
        with Shield():
            signal.raise_signal(signal.SIGINT)
        reached = True
    assert reached
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


@pytest.mark.parametrize("operation", ["create", "destroy"])
def test_a_domain_that_was_made_is_never_forgotten(world: FakeHost, operation: str) -> None:
    """^C the moment that Xen has done it: the domain is undone, and a second ^C does not stop that."""
    before = world.hyper.leaks()
    world.hyper.on_call[operation] = lambda *_: signal.raise_signal(signal.SIGINT)
    if operation == "destroy":
        world.hyper.fail_at(("set_max_mem", 1), KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        world.create()
    assert world.hyper.leaks() == before


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_the_first_signal_interrupts_and_no_other_does(name: str) -> None:
    number = signal.Signals[name]
    before = signal.getsignal(number)
    with Endings():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.raise_signal(other)
    assert signal.getsignal(number) == before


def test_what_the_caller_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Endings():
            signal.raise_signal(signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_signal_that_comes_twice(world: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `timeout` sends it, to the process and to its group: the second finds the undoing not yet begun."""
    before, undo = world.hyper.leaks(), Creation.undo

    def undo_after_another(creation: Creation, error: BaseException) -> None:
        signal.raise_signal(signal.SIGTERM)
        undo(creation, error)

    monkeypatch.setattr(Creation, "undo", undo_after_another)
    world.hyper.on_call["set_max_mem"] = lambda *_: signal.raise_signal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), Endings():
        world.create()
    assert world.hyper.leaks() == before
