from __future__ import annotations

import signal

import pytest

from tests.support.fakehost import FakeHost
from xenvm.ops.signals import Shield


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
