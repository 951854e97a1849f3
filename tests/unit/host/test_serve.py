"""The loop of a back end on a real host."""

from __future__ import annotations

import os
import select
from collections.abc import Mapping
from typing import Any

from xenvm.host.serve import serve


class Waiting:
    """Something with a descriptor, which is readable once there is a byte."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()

    def fileno(self) -> int:
        return self.reader

    def has_arrived(self) -> bool:
        return False

    def close(self) -> None:
        os.close(self.reader)
        os.close(self.writer)


class Driver:
    """Has something happen at one of its descriptors whenever it has nothing to do."""

    def __init__(self) -> None:
        self.store, self.side, self.more = Waiting(), Waiting(), Waiting()
        self.coming, self.seen = ["more", "side", "store"], [""]

    def step(self) -> bool:
        for name in ("store", "side", "more"):
            reader = getattr(self, name).reader
            if select.select([reader], [], [], 0)[0]:
                os.read(reader, 1)
                self.seen.append(name)
                return True
        if self.coming:
            os.write(getattr(self, self.coming.pop()).writer, b"!")
        return False

    serve_events = step

    def descriptors(self) -> Mapping[int, int]:
        return {self.more.reader: select.POLLIN}


def test_each_descriptor_wakes_the_driver() -> None:
    drivers: Any = Driver(), Driver()
    serve(*drivers, ended=lambda: not any(driver.coming for driver in drivers))
    for driver in drivers:
        assert driver.seen == ["", "store", "side"]
        for waiting in (driver.store, driver.side, driver.more):
            waiting.close()
