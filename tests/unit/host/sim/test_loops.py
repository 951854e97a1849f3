"""Simulated loop devices: the lowest free number, and all devices of a file."""

from __future__ import annotations

import os

from xenvm.host.sim.loops import Loops, number


def test_numbers_are_used_again() -> None:
    loops = Loops()
    assert [loops.attach(path, False) for path in "aba"] == [f"/dev/simloop{n}" for n in range(3)]
    assert loops.of("a") == {os.makedev(7, 0): "/dev/simloop0", os.makedev(7, 2): "/dev/simloop2"}
    loops.detach("/dev/simloop0")
    loops.detach("/dev/simloop0")
    assert list(loops.of("a").values()) == ["/dev/simloop2"] and loops.of("c") == {}
    assert loops.attach("c", True) == "/dev/simloop0" and loops["/dev/simloop0"] == ("c", True)
    assert loops.attach("c", True) == "/dev/simloop3"


def test_another_process_goes_on() -> None:
    loops, again = Loops(), Loops()
    for path in "abc":
        loops.attach(path, path == "b")
    loops.detach("/dev/simloop1")
    again.restore((node, path, readonly) for node, (path, readonly) in loops.items())
    assert again == loops and again.of("c") == loops.of("c")
    assert again.attach("d", False) == "/dev/simloop1"
    assert number("/dev/simloop300") == os.makedev(7, 300)
