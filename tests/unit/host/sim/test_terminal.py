"""The console client of a simulated host."""

from __future__ import annotations

import os
import pty

import pytest

from tests.support.simworld import SimWorld
from xenvm.errors import DeviceError
from xenvm.types import Domid


def attach(sim: SimWorld, typed: bytes, **named: int) -> tuple[str, str]:
    """Why a session ended, and what was shown."""
    into, out = os.pipe(), os.pipe()
    os.write(into[1], typed)
    os.close(into[1])
    try:
        why = sim.world.plumbing.console.attach("", domid=Domid(1), stdin=into[0], stdout=out[1], **named)
        os.close(out[1])
        return why, os.read(out[0], 1 << 16).decode()
    finally:
        os.close(into[0])
        os.close(out[0])


def test_a_pipe(sim: SimWorld) -> None:
    sim.create()
    why, shown = attach(sim, b"nproc\r\x1d")
    assert why == "closed", "the escape character has no meaning in a pipe"
    assert "Booting Linux" in shown and shown.count("\r\n1\r\n") == 1


def test_a_guest_that_ends(sim: SimWorld) -> None:
    domid = sim.create()
    why, shown = attach(sim, b"poweroff\r")
    assert why in ("closed", "hangup") and "Power down" in shown
    info = sim.host.hyper.domain(domid)
    assert info is not None and info.shutdown


def test_a_terminal_ends_by_the_escape_character(sim: SimWorld) -> None:
    sim.create()
    theirs, ours = pty.openpty()
    os.write(theirs, b"echo hello\r\x1dlost")
    out = os.pipe()
    assert sim.world.plumbing.console.attach("", domid=Domid(1), stdin=ours, stdout=out[1]) == "escape"
    assert b"\r\nhello\r\n" in os.read(out[0], 1 << 16)
    for fd in (theirs, ours, *out):
        os.close(fd)


def test_no_such_console(sim: SimWorld) -> None:
    with pytest.raises(DeviceError, match="console 0 of domain 1"):
        attach(sim, b"")
    sim.create()
    with pytest.raises(DeviceError, match="console 1 of domain 1"):
        attach(sim, b"", number=1)
