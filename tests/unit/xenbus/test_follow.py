from __future__ import annotations

import threading
from collections.abc import Mapping
from time import monotonic

import pytest

from tests.support.fakestore import FakeStore
from xenbus import wire
from xenbus.client import Store
from xenbus.errors import NotFound, StoreClosed, StoreTimeout
from xenbus.request import Mkdir, Read, Write

STATE = "/local/domain/0/backend/vbd/5/51712/state"


def soon() -> float:
    return monotonic() + 10


def state_is(value: bytes | None) -> object:
    return lambda values: values[STATE] == value


def test_everything_goes_out_at_once(store: Store, fake: FakeStore) -> None:
    before = store.waits
    fake.put("/a", "1")
    with store.follow(["/a", "/none"], first=[Mkdir("/b"), Read("/a")]) as follower:
        assert follower.first == [None, b"1"]
        assert follower.values == {"/a": b"1", "/none": None}
        assert store.waits == before + 1
        assert follower.wait(lambda values: values["/a"], soon(), "a") == b"1"
        assert store.waits == before + 1, "what was read is enough"


def test_a_back_end_that_answers_at_once_costs_no_further_wait(store: Store, fake: FakeStore) -> None:
    fake.on_write("/trigger", lambda path, value: fake.put(STATE, "2"))
    before = store.waits
    with store.follow([STATE], first=[Write("/trigger")]) as follower:
        follower.wait(lambda values: values[STATE] == b"2", soon(), "the back end")
    assert store.waits == before + 1


def test_a_change_is_read_again_and_only_that(store: Store, fake: FakeStore) -> None:
    with store.follow([STATE, "/other"]) as follower:
        fake.ops.clear()
        changer = threading.Thread(target=lambda: [fake.put(STATE, str(state)) for state in (2, 3, 4)])
        changer.start()
        assert follower.wait(lambda values: values[STATE] == b"4" and "there", soon(), "the back end") == "there"
        changer.join()
        assert fake.log.count(("READ", "/other")) <= 2, "once at first, and once for its watch's first event"


def test_a_change_whose_event_was_merged_into_the_first_one(store: Store, fake: FakeStore) -> None:
    """xenstored sends no event that equals one which it has not sent yet: here the first one, before the answer."""
    fake.put(STATE, "1")

    def overtaken(packet: wire.Packet) -> bytes:
        answer = wire.pack(wire.READ, packet[1], 0, fake.tree[STATE][0])
        fake.tree[STATE] = b"2", fake.tree[STATE][1]  # without an event of its own
        return answer

    fake.inject(2, overtaken)
    with store.follow([STATE]) as follower:
        assert follower.values == {STATE: b"1"}
        assert follower.wait(lambda values: values[STATE] == b"2", soon(), "the back end")


def test_changes_below_a_path_are_events_too(store: Store, fake: FakeStore) -> None:
    checks = []

    def check(values: Mapping[str, bytes | None]) -> bool:
        checks.append(dict(values))
        if len(checks) == 1:
            fake.put("/dir/below", "x")
        return len(checks) == 2

    with store.follow(["/dir"]) as follower:
        follower.wait(check, soon(), "a child")
    assert checks == [{"/dir": None}, {"/dir": b""}]


def test_a_node_that_vanishes_is_none(store: Store, fake: FakeStore) -> None:
    fake.put(STATE, "4")
    with store.follow([STATE]) as follower:
        fake.drop("/local/domain/0/backend")
        assert follower.wait(lambda values: values[STATE] is None, soon(), "the back end to go")


def test_a_node_that_may_not_be_read_is_none(store: Store, fake: FakeStore) -> None:
    fake.inject(2, "EACCES")
    with store.follow(["/a"]) as follower:
        assert follower.values == {"/a": None}


def test_the_timeout_tells_what_was_seen_last(store: Store, fake: FakeStore) -> None:
    fake.put("/a", b"\x1b2")
    with (
        store.follow(["/a", "/b", "@releaseDomain"]) as follower,
        pytest.raises(StoreTimeout, match=r"^gave up waiting for the disk; last seen: /a = '\\x1b2', /b = absent$"),
    ):
        follower.wait(lambda values: None, monotonic() + 0.01, "the disk")


def test_a_guest_that_never_stops_cannot_stretch_the_deadline(store: Store, fake: FakeStore) -> None:
    with store.follow(["/a"]) as follower, pytest.raises(StoreTimeout):
        follower.wait(lambda values: fake.put("/a", "again"), monotonic() + 0.05, "peace")


def test_special_nodes_have_events_and_no_value(store: Store, fake: FakeStore) -> None:
    checks = []

    def check(values: Mapping[str, bytes | None]) -> bool:
        checks.append(values["@releaseDomain"])
        fake.fire("@releaseDomain")
        return len(checks) == 3

    with store.follow(["@releaseDomain"]) as follower:
        follower.wait(check, soon(), "a domain to end")
    assert checks == [None] * 3
    assert fake.ops["READ"] == 0


def test_the_watches_end_and_late_events_are_dropped(store: Store, fake: FakeStore) -> None:
    with store.follow(["/a", "/b"]):
        before = store.waits
        fake.put("/a", "1")
    assert store.waits == before
    store.read("/a")
    assert fake.ops["UNWATCH"] == 2
    assert store.next_event(0) is None


def test_the_watches_may_stay(store: Store, fake: FakeStore) -> None:
    with store.follow(["/a"], unwatch=False):
        pass
    store.read("/")
    assert fake.ops["UNWATCH"] == 0


def test_two_followers_of_one_path(store: Store, fake: FakeStore) -> None:
    with store.follow(["/a"]) as one, store.follow(["/a"]) as two:
        fake.put("/a", "1")
        for follower in (one, two):
            assert follower.wait(lambda values: values["/a"] == b"1", soon(), "a")


def test_a_refused_first_request_is_raised_and_nothing_stays(store: Store, fake: FakeStore) -> None:
    with pytest.raises(NotFound, match="read /none"):
        store.follow(["/a"], first=[Read("/none")])
    store.read("/")
    assert fake.ops["UNWATCH"] == 1


def test_a_lost_store_ends_the_wait(store: Store, fake: FakeStore) -> None:
    with store.follow(["/a"]) as follower, pytest.raises(StoreClosed):
        follower.wait(lambda values: fake.disconnect(), soon(), "a")


def test_what_no_event_tells_of_is_asked_again(store: Store) -> None:
    asked: list[float] = []

    def check(values: Mapping[str, bytes | None]) -> bool:
        asked.append(monotonic())
        return len(asked) == 3

    with store.follow(["@releaseDomain"]) as follower:
        assert follower.wait(check, soon(), "the third time", every=0.001)


def test_the_deadline_has_a_last_look(store: Store) -> None:
    asked: list[float] = []

    def check(values: Mapping[str, bytes | None]) -> bool:
        asked.append(monotonic())
        return len(asked) == 2

    with store.follow(["/a"]) as follower:
        assert follower.wait(check, monotonic() + 0.01, "the second time")
