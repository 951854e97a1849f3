"""events on a simulated host: what other commands do to its guests, while it lets them have it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Xenvm
from xenvm.guest.load import load_file
from xenvm.host.sim.host import SimHost, open_world
from xenvm.ops import create, destroy
from xenvm.types import Domid


def test_what_other_commands_do(folder: Path, xenvm: Xenvm, monkeypatch: pytest.MonkeyPatch) -> None:
    def begin(host: SimHost) -> None:
        create.create(host, load_file(str(folder / "g.cfg"))[0])

    def end(host: SimHost) -> None:
        destroy.destroy(host, Domid(1), host.hyper.domain(Domid(1)).uuid)

    todo: list[Callable[[SimHost], None]] = [begin, lambda host: host.store.write("/mine", "1"), end]

    def until_changed(host: SimHost) -> None:
        host.close()
        if not todo:
            raise KeyboardInterrupt
        with open_world(str(folder / "world")) as other:
            todo.pop(0)(other)

    monkeypatch.setattr(SimHost, "until_changed", until_changed)
    code, out, _err = xenvm("events", "--json")
    assert code == 130
    found = [json.loads(line) for line in out.splitlines()]
    assert [(each["domid"], each["name"], each["event"]) for each in found] == [(1, "g", "started"), (1, "g", "gone")]
