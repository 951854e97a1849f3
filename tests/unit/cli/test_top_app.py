"""The face of `top` under textual's own harness, with its thread, on simulated and on fake hosts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from threading import Event
from typing import Any

import pytest

pytest.importorskip("textual")

from textual.pilot import Pilot
from textual.widgets import DataTable, Static

from tests.support.fakehost import FakeHost
from xenvm.cli.top_app import TopApp
from xenvm.cli.top_worker import Seen
from xenvm.host.hyper import DomainInfo
from xenvm.host.open import Host
from xenvm.ops.top import Row
from xenvm.testing.guest import Guest
from xenvm.testing.host import XenHost
from xenvm.types import Domid

PATIENCE = 20.0
Scene = Callable[["Face"], Awaitable[None]]


class Face:
    """The app under test."""

    def __init__(self, app: TopApp, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    async def until(self, check: Callable[[], Any]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not check():
            assert time.monotonic() < deadline, (self.table, self.text("said"), self.text("lost"))
            await self.pilot.pause(0.01)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    @property
    def table(self) -> list[list[str]]:
        table: DataTable[Any] = self.app.screen_stack[0].query_one("#domains", DataTable)
        return [[str(cell) for cell in table.get_row_at(number)] for number in range(table.row_count)]

    def text(self, name: str) -> str:
        return str(self.app.screen_stack[0].query_one(f"#{name}", Static).content)

    @property
    def names(self) -> list[str]:
        return [row[0] for row in self.table]

    async def choose(self, name: str) -> None:
        await self.until(lambda: name in self.names)
        await self.press("home", *["down"] * self.names.index(name))
        await self.until(lambda: self.text("devices").startswith(name))


def play(host: Host, scene: Scene, size: tuple[int, int] = (120, 30), delay: float = 1.0) -> None:
    async def run() -> None:
        app = TopApp(host, delay)
        try:
            async with app.run_test(size=size) as pilot:
                await scene(Face(app, pilot))
        finally:
            app.finish()
        assert app.failure is None, app.failure

    asyncio.run(run())


def test_keys_pause_and_unpause(xen_host: XenHost) -> None:
    guest = xen_host.create("cell", disks=1)

    async def scene(face: Face) -> None:
        await face.choose("cell")
        assert "xvda: Connected" in face.text("devices")
        await face.press("p")
        await face.until(lambda: face.table[1][2] == "paused")
        await face.press("p")
        await face.until(lambda: face.text("said") == f"domain {guest.domid} is paused already")
        await face.press("u")
        await face.until(lambda: face.table[1][2] != "paused")

    play(xen_host.host, scene)
    assert not guest.info.paused


def test_destroy_asks_first(xen_host: XenHost) -> None:
    guest = xen_host.create("cell", disks=1)

    async def scene(face: Face) -> None:
        await face.choose("cell")
        for no in ("n", "escape", "enter", "q"):
            await face.press("K", no)
        assert guest.exists
        await face.press("K", "p", "S", "y")
        await face.until(lambda: face.names == ["Domain-0"])
        await face.until(lambda: face.text("said") == "cell is destroyed")

    play(xen_host.host, scene)
    assert not guest.exists


def test_a_device_is_chosen_and_detached(xen_host: XenHost) -> None:
    guest = xen_host.create("cell", disks=2, vifs=1)

    async def scene(face: Face) -> None:
        await face.choose("cell")
        await face.press("d", "down", "enter", "n")
        assert guest.states().keys() == {"vbd/51712", "vbd/51728", "vif/0"}
        await face.press("d", "down", "enter", "y")
        await face.until(lambda: face.text("said") == "xvdb of cell is detached")
        await face.until(lambda: "xvdb" not in face.text("devices"))

    play(xen_host.host, scene)
    assert guest.states().keys() == {"vbd/51712", "vif/0"}


def test_a_guest_that_does_not_let_go_is_told_of(xen_host: XenHost) -> None:
    xen_host.create("cell", disks=1, behaviour="ignore-detach")

    async def scene(face: Face) -> None:
        await face.choose("cell")
        await face.press("d", "enter", "y")
        await face.until(lambda: "did not let go" in face.text("said"))
        await face.press("p")
        await face.until(lambda: face.table[1][2] == "paused")

    play(xen_host.host, scene)


def test_shut_down(xen_host: XenHost) -> None:
    xen_host.create("cell")

    async def scene(face: Face) -> None:
        await face.choose("cell")
        await face.press("S")
        await face.until(lambda: face.table[1][2] == "poweroff")

    play(xen_host.host, scene)


def test_domain_0_is_left_alone(xen_host: XenHost) -> None:
    async def scene(face: Face) -> None:
        await face.choose("Domain-0")
        await face.press("p")
        await face.until(lambda: "domain 0 is this host" in face.text("said"))
        await face.press("d")
        await face.until(lambda: "no disk or vif" in face.text("said"))
        await face.press("c")
        await face.until(lambda: "no console" in face.text("said"))

    play(xen_host.host, scene)


def test_sort_filter_and_help(xen_host: XenHost) -> None:
    for name in ("b", "a", "cell-a"):
        xen_host.create(name)

    async def scene(face: Face) -> None:
        await face.until(lambda: face.names == ["Domain-0", "b", "a", "cell-a"])
        assert "sorted by id" in face.text("totals")
        for order in ("memory", "state", "cpu", "name"):
            await face.press("s")
            assert f"sorted by {order}" in face.text("totals")
        assert face.names == ["a", "b", "cell-a", "Domain-0"]
        await face.press("slash", "A")
        await face.until(lambda: "b" not in face.names)
        await face.press("enter")
        assert "filter: A" in face.text("totals")
        await face.press("escape")
        await face.until(lambda: len(face.names) == 4)
        await face.press("h")
        assert len(face.app.screen_stack) == 2
        await face.press("x")
        assert len(face.app.screen_stack) == 1

    play(xen_host.host, scene)


def test_names_are_no_markup_and_no_escapes(xen_host: XenHost) -> None:
    guest = xen_host.create("cell")
    guest.write("name", "[red]x[/] [/nope] \x1b[2J")

    async def scene(face: Face) -> None:
        await face.choose("[red]x[/] [/nope] \\x1b[2J")
        await face.press("K")
        await face.press("n")
        await face.press("p")
        await face.until(lambda: "[red]x[/] [/nope] \\x1b[2J is paused" in face.text("said"))

    play(xen_host.host, scene)


@pytest.mark.parametrize("size", [(1, 1), (20, 6)])
def test_terminals_of_any_size(xen_host: XenHost, size: tuple[int, int]) -> None:
    xen_host.create("cell", disks=1)

    async def scene(face: Face) -> None:
        await face.choose("cell")
        await face.press("K", "n", "d", "escape", "h", "x", "slash", "escape", "p")
        await face.until(lambda: face.table[1][2] == "paused")

    play(xen_host.host, scene, size)


def test_300_domains_and_their_end(xen_host: XenHost) -> None:
    """As the thread tells of them; the chosen one stays chosen while others come and go."""
    many = [Row(DomainInfo(Domid(n), f"u{n}", cpu_time=n), f"g{n}", f"g{n}", float(n), ()) for n in range(1000, 1300)]

    async def scene(face: Face) -> None:
        await face.until(lambda: face.names == ["Domain-0"])
        face.app._take(Seen(many))
        assert len(face.table) == 300
        await face.press("end")
        await face.until(lambda: face.text("devices").startswith("g1299"))
        face.app._take(Seen(many[150:]))
        assert face.text("devices").startswith("g1299")
        face.app._take(Seen([]))
        assert face.table == []
        await face.press("p", "K", "d", "c", "S")
        assert len(face.app.screen_stack) == 1

    play(xen_host.host, scene, delay=3600.0)


def test_a_lost_store_is_told_of_and_found_again(world: FakeHost) -> None:
    domid = world.create()

    async def scene(face: Face) -> None:
        await face.until(lambda: "g" in face.names)
        world.store.disconnect()
        await face.until(lambda: "closed" in face.text("lost"))
        await face.until(lambda: not face.app.query_one("#lost").display)
        world.store.put(f"/local/domain/{domid}/device/vbd/51712/state", "5")
        await face.choose("g")
        await face.until(lambda: "front Closing" in face.text("devices"))

    play(world.host, scene)


def test_a_guest_that_vanishes_under_a_question(xen_host: XenHost) -> None:
    guest: Guest = xen_host.create("cell")

    async def scene(face: Face) -> None:
        await face.choose("cell")
        await face.press("K")
        free: list[bool] = []
        face.app.worker.do(lambda _host: free.append(bool(guest.destroy())) or "gone")  # type: ignore[func-returns-value]
        await face.until(lambda: free)
        await face.press("y")
        await face.until(lambda: f"{guest.domid} is an invalid domain" in face.text("said"))

    play(xen_host.host, scene)


def test_an_error_that_nobody_expects_ends_it(xen_host: XenHost) -> None:
    async def run() -> TopApp:
        app = TopApp(xen_host.host, 1.0)
        async with app.run_test() as pilot:
            app.worker.do(lambda _host: str(1 / 0))
            deadline = time.monotonic() + PATIENCE
            while app.failure is None and time.monotonic() < deadline:
                await pilot.pause(0.01)
        app.finish()
        return app

    assert isinstance(asyncio.run(run()).failure, ZeroDivisionError)


def test_the_end_while_a_console_is_asked_for(xen_host: XenHost) -> None:
    """The thread lies in wait for a face that has gone: it ends all the same."""
    app = TopApp(xen_host.host, 1.0)
    app.worker.start()
    parked = Event()
    app.worker.park(parked.set)
    assert parked.wait(PATIENCE)
    app.finish()
    assert not app.worker.is_alive()
