from __future__ import annotations

from errno import EBUSY, EIO, ENODEV, EPERM

from xenvm.host.xen.hints import hint


def test_an_operation_knows_more_than_a_number() -> None:
    assert "GIC" in hint("createdomain", ENODEV)
    assert "run already" in hint("vuart_op", EPERM)
    assert hint("pausedomain", EPERM) == "this domain may not control others"


def test_what_is_not_known_is_not_invented() -> None:
    assert hint("pausedomain", EIO) == ""
    assert hint("nothing", EBUSY) == ""
