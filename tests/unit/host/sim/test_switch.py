from __future__ import annotations

from xenvm.host.sim.switch import ADDRESSES_MAX, Switch

A, B, C = (b"\x02" + bytes(4) + letter for letter in (b"a", b"b", b"c"))
GROUP = b"\xff" * 6


def wired() -> tuple[Switch, dict[str, list[bytes]]]:
    switch, heard = Switch(), {name: [] for name in "abc"}  # type: dict[str, list[bytes]]
    for name, frames in heard.items():
        switch.plug(name, frames.append)
    return switch, heard


def frame(to: bytes, source: bytes) -> bytes:
    return to + source + b"\x08\0data"


def test_unknown_and_group_addresses_go_everywhere_but_back() -> None:
    switch, heard = wired()
    for to in (GROUP, B):
        switch.forward(frame(to, A), "a")
    assert [len(heard[name]) for name in "abc"] == [0, 2, 2]


def test_an_address_that_was_seen_is_known() -> None:
    switch, heard = wired()
    switch.forward(frame(GROUP, B), "b")
    switch.forward(frame(B, A), "a")
    assert heard["b"] == [frame(B, A)] and heard["c"] == [frame(GROUP, B)]


def test_an_unplugged_port_is_forgotten() -> None:
    switch, heard = wired()
    switch.forward(frame(GROUP, B), "b")
    switch.unplug("b")
    switch.forward(frame(B, A), "a")
    assert heard["b"] == [] and heard["c"][-1] == frame(B, A)


def test_no_frame_goes_back_where_it_came_from() -> None:
    switch, heard = wired()
    switch.forward(frame(GROUP, A), "a")
    switch.forward(frame(A, C), "a")
    assert heard["a"] == []


def test_the_table_is_bounded_and_scraps_are_dropped() -> None:
    switch, heard = wired()
    for number in range(ADDRESSES_MAX + 100):
        switch.forward(frame(GROUP, b"\x02" + number.to_bytes(5, "big")), "a")
    assert len(switch._learned) == ADDRESSES_MAX
    before = len(heard["b"])
    switch.forward(b"short", "a")
    assert len(heard["b"]) == before
