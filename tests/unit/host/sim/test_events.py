"""Event channels follow Xen's rules."""

from __future__ import annotations

from collections.abc import Callable
from errno import EINVAL, ENOSPC, ESRCH

import pytest

from xenvm.errors import HypercallError
from xenvm.host.sim.events import EventChannels
from xenvm.types import DOM0, Domid, Port

GUEST = Domid(3)


@pytest.fixture
def channels() -> EventChannels:
    channels = EventChannels()
    channels.add(GUEST, 3)
    return channels


def errno(call: Callable[[], object]) -> int:
    with pytest.raises(HypercallError) as caught:
        call()
    return caught.value.errno


def test_both_ends_hear_each_other(channels: EventChannels) -> None:
    port = channels.alloc_unbound(GUEST, DOM0)
    channels.notify(GUEST, port)  # nobody hears it
    local = channels.bind(DOM0, GUEST, port)
    assert channels.take(DOM0, {local}) == {local}, "Xen makes up for what was lost before"
    channels.notify(GUEST, port)
    channels.notify(GUEST, port)
    assert channels.take(DOM0, {local + 1}) == set(), "somebody else's ports"
    assert channels.take(DOM0, {local}) == {local} and not channels.take(DOM0, {local})
    channels.notify(DOM0, local)
    assert channels.pending(GUEST) == {port} and channels.pending(GUEST) == set()


def test_only_one_may_bind_and_only_who_was_meant(channels: EventChannels) -> None:
    port, other = channels.alloc_unbound(GUEST, DOM0), channels.alloc_unbound(GUEST, Domid(7))
    channels.bind(DOM0, GUEST, port)
    assert errno(lambda: channels.bind(DOM0, GUEST, port)) == EINVAL
    assert errno(lambda: channels.bind(DOM0, GUEST, other)) == EINVAL
    assert errno(lambda: channels.bind(DOM0, GUEST, Port(9))) == EINVAL
    assert errno(lambda: channels.bind(DOM0, Domid(9), port)) == ESRCH


def test_a_closed_end_can_be_bound_again(channels: EventChannels) -> None:
    port = channels.alloc_unbound(GUEST, DOM0)
    channels.close(DOM0, channels.bind(DOM0, GUEST, port))
    channels.bind(DOM0, GUEST, port)


def test_the_lowest_free_port_is_next(channels: EventChannels) -> None:
    ports = [channels.alloc_unbound(GUEST, DOM0) for _ in range(3)]
    assert ports == [1, 2, 3]
    assert errno(lambda: channels.alloc_unbound(GUEST, DOM0)) == ENOSPC
    channels.close(GUEST, Port(2))
    assert channels.alloc_unbound(GUEST, DOM0) == 2
    assert errno(lambda: channels.notify(GUEST, Port(9))) == EINVAL


def test_a_dead_domain_closes_its_ports(channels: EventChannels) -> None:
    local = channels.bind(DOM0, GUEST, channels.alloc_unbound(GUEST, DOM0))
    channels.remove(GUEST)
    channels.notify(DOM0, local)
    channels.remove(GUEST)
    assert errno(lambda: channels.alloc_unbound(GUEST, DOM0)) == ESRCH


def test_back_ends_bind_anew_after_a_snapshot(channels: EventChannels) -> None:
    port = channels.alloc_unbound(GUEST, DOM0)
    local = channels.bind(DOM0, GUEST, port)
    channels.notify(DOM0, local)
    again = EventChannels()
    again.restore(channels.state())
    assert again.pending(GUEST) == {port}
    again.bind(DOM0, GUEST, port)
    assert again.alloc_unbound(GUEST, DOM0) == port + 1
