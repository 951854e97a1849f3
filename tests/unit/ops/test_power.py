"""Asking guests to go down, and waiting for it."""

from __future__ import annotations

import pytest

from tests.support.fakehost import UUID, FakeHost
from xenbus.errors import StoreTimeout
from xenvm.errors import DomainError, NoSuchDomain, UnsupportedError
from xenvm.host.hyper import DomainInfo
from xenvm.ops import power
from xenvm.types import Domid

CONTROL = "/local/domain/1/control/shutdown"


@pytest.fixture
def guest(world: FakeHost) -> FakeHost:
    world.hyper.add(UUID)
    world.store.put("/local/domain/1/name", "g")
    world.store.put(CONTROL)
    return world


def info(world: FakeHost) -> DomainInfo:
    return world.hyper.all[Domid(1)].info


def listening(world: FakeHost, node: str = CONTROL) -> list[bytes]:
    """What a kernel has taken that takes every request."""
    seen = []

    def kernel(path: str, value: bytes | None) -> None:
        if value:
            seen.append(value)
            world.store.put(path, "")

    world.store.on_write(node, kernel)
    return seen


@pytest.mark.parametrize("command", ["poweroff", "reboot"])
def test_a_guest_that_listens(guest: FakeHost, command: str) -> None:
    seen = listening(guest)
    power.request(guest.host, [info(guest)], command)
    assert seen == [command.encode()]


def test_a_guest_that_goes_down_without_taking_the_request(guest: FakeHost) -> None:
    guest.store.on_write(CONTROL, lambda path, value: guest.hyper.go_down(Domid(1), 0))
    power.request(guest.host, [info(guest)], "poweroff")
    assert guest.store.get(CONTROL) == b"poweroff"


def test_a_guest_that_vanishes(guest: FakeHost) -> None:
    guest.store.on_write(
        CONTROL, lambda path, value: guest.hyper.all.pop(Domid(1), None) and guest.store.drop("/local/domain/1")
    )
    power.request(guest.host, [info(guest)], "poweroff")


def test_a_guest_that_has_removed_the_node_is_asked_all_the_same(guest: FakeHost) -> None:
    """It is its own; what is made anew is its own too, so that it can take the request."""
    guest.store.drop(CONTROL)
    seen = listening(guest)
    power.request(guest.host, [info(guest)], "poweroff")
    assert seen == [b"poweroff"]
    assert [str(perm) for perm in guest.host.store.get_perms(CONTROL)] == ["n1"]


def test_the_others_are_waited_for_beside_one_that_does_not_listen(guest: FakeHost) -> None:
    guest.hyper.add(UUID)
    guest.store.put("/local/domain/2/name", "h")
    other = "/local/domain/2/control/shutdown"
    guest.store.put(other)
    listening(guest, other)
    waited: list[tuple[list[Domid], bool]] = []

    def wait_down(_host: object, domids: list[Domid], *, gone: bool) -> None:
        waited.append((domids, gone))

    guest.patch.setattr(power, "wait_down", wait_down)
    guests = [each.info for each in guest.hyper.all.values() if each.info.domid]
    with pytest.raises(StoreTimeout, match="the poweroff to be taken") as caught:
        power.bring_down(guest.host, guests, "poweroff", gone=True, seconds=0)
    assert waited == [([Domid(2)], True)]
    assert ["domain 1 does not listen" in note for note in caught.value.__notes__] == [True]


def suspending(world: FakeHost, code: int | None) -> None:
    """A kernel that takes the request, and suspends if `code` says so."""

    def kernel(path: str, value: bytes | None) -> None:
        if value == b"suspend":
            world.store.put(path, "")
            if code is not None:
                world.hyper.go_down(Domid(1), code)

    world.store.on_write(CONTROL, kernel)


def test_suspend_and_resume(guest: FakeHost) -> None:
    suspending(guest, power.SUSPENDED)
    power.suspend(guest.host, info(guest))
    assert info(guest).shutdown_code == power.SUSPENDED
    power.resume(guest.host, info(guest))
    assert not info(guest).shutdown
    with pytest.raises(DomainError, match="domain 1 is not suspended"):
        power.resume(guest.host, info(guest))


def test_a_guest_that_cannot_suspend(guest: FakeHost) -> None:
    suspending(guest, None)
    with pytest.raises(StoreTimeout, match="the guests to go down") as caught:
        power.suspend(guest.host, info(guest), seconds=0)
    assert caught.value.__notes__ == ["domain 1 took the request, but its kernel cannot suspend: it goes on running"]


def test_a_guest_that_crashes_over_it(guest: FakeHost) -> None:
    suspending(guest, 3)
    with pytest.raises(DomainError, match="domain 1 has gone down instead of suspending"):
        power.suspend(guest.host, info(guest))


def test_a_suspend_that_nobody_takes_is_withdrawn(guest: FakeHost) -> None:
    with pytest.raises(StoreTimeout, match="the suspend to be taken"):
        power.suspend(guest.host, info(guest), seconds=0)
    assert guest.store.get(CONTROL) == b""


def test_a_suspend_that_is_interrupted_is_withdrawn(guest: FakeHost) -> None:
    def interrupt(*_: object) -> bool:
        assert guest.store.get(CONTROL) == b"suspend"
        raise KeyboardInterrupt

    guest.patch.setattr(power, "_is_down", interrupt)
    with pytest.raises(KeyboardInterrupt):
        power.suspend(guest.host, info(guest))
    assert guest.store.get(CONTROL) == b""


def test_only_a_suspended_guest_can_be_resumed(guest: FakeHost) -> None:
    guest.hyper.go_down(Domid(1), 1)
    with pytest.raises(DomainError, match="domain 1 is not suspended"):
        power.resume(guest.host, info(guest))


def test_waiting_until_it_is_gone(guest: FakeHost) -> None:
    guest.hyper.go_down(Domid(1), 0)
    power.wait_down(guest.host, [Domid(1)])
    with pytest.raises(StoreTimeout):
        power.wait_down(guest.host, [Domid(1)], seconds=0, gone=True)
    guest.hyper.destroy(Domid(1))
    power.wait_down(guest.host, [Domid(1)], seconds=0, gone=True)


def test_a_guest_that_does_not_listen(guest: FakeHost) -> None:
    with pytest.raises(StoreTimeout, match="the poweroff to be taken; last seen: /local/domain/1/") as caught:
        power.request(guest.host, [info(guest)], "poweroff", seconds=0)
    assert caught.value.__notes__ == ["domain 1 does not listen on control/shutdown; `xenvm destroy 1` ends it"]


def test_all_guests_are_asked_before_any_is_waited_for(guest: FakeHost) -> None:
    guest.hyper.add("99999999-2222-3333-4444-555555555555")
    guest.store.put("/local/domain/2/name", "h")
    guest.store.put("/local/domain/2/control/shutdown", "")
    guests = [found for found in guest.hyper.domains() if found.domid]
    with pytest.raises(StoreTimeout) as caught:
        power.request(guest.host, guests, "poweroff", seconds=0)
    assert len(caught.value.__notes__) == 2
    assert guest.store.get("/local/domain/2/control/shutdown") == b"poweroff"


def test_a_guest_that_is_down_already(guest: FakeHost) -> None:
    guest.hyper.go_down(Domid(1), 3)
    with pytest.raises(DomainError, match="domain 1 has already gone down"):
        power.request(guest.host, [info(guest)], "poweroff")
    assert guest.store.get(CONTROL) == b"", "nothing is written"


def test_waiting_for_several(guest: FakeHost) -> None:
    guest.hyper.add("99999999-2222-3333-4444-555555555555")
    deaths = iter([lambda: guest.hyper.go_down(Domid(2), 0), lambda: guest.hyper.destroy(Domid(1))])

    def watch_registered() -> None:
        death = next(deaths, None)
        if death:
            guest.hyper.on_call.pop("domain")  # not again for what the death itself asks
            death()
            guest.hyper.on_call["domain"] = watch_registered

    guest.hyper.on_call["domain"] = watch_registered
    power.wait_down(guest.host, [Domid(1), Domid(2)])
    assert sorted(guest.hyper.all) == [0, 2]


def test_waiting_has_an_end(guest: FakeHost) -> None:
    with pytest.raises(StoreTimeout, match="the guests to go down"):
        power.wait_down(guest.host, [Domid(1)], seconds=0)


def test_nothing_to_wait_for(guest: FakeHost) -> None:
    power.wait_down(guest.host, [], seconds=0)
    power.wait_down(guest.host, [Domid(77)], seconds=0)


def test_sysrq(guest: FakeHost) -> None:
    guest.store.put("/local/domain/1/name", "g")
    power.sysrq(guest.host, Domid(1), "s")
    assert guest.store.get("/local/domain/1/control/sysrq") == b"s"
    for key in ("", "ss", "\n", "\x7f", "ä", " "):
        with pytest.raises(DomainError, match="is no SysRq key"):
            power.sysrq(guest.host, Domid(1), key)
    with pytest.raises(NoSuchDomain):
        power.sysrq(guest.host, Domid(2), "s")
    assert guest.store.get("/local/domain/2") is None


@pytest.mark.parametrize(("name", "code"), [("power", 0), ("reset", 1), ("reboot", 1), ("crash", 3), ("watchdog", 4)])
def test_trigger(guest: FakeHost, name: str, code: int) -> None:
    power.trigger(guest.host, Domid(1), name)
    assert info(guest).shutdown_code == code


def test_triggers_that_do_not_exist(guest: FakeHost) -> None:
    with pytest.raises(UnsupportedError, match="the trigger nmi does not exist on ARM"):
        power.trigger(guest.host, Domid(1), "nmi")
    with pytest.raises(DomainError, match="'off' is no trigger: there are poweroff, power, reboot"):
        power.trigger(guest.host, Domid(1), "off")
    assert info(guest).shutdown_code is None
