"""What the contract's tests share: how a refusal looks."""

from __future__ import annotations

from collections.abc import Callable
from errno import errorcode

import pytest

from xenvm.errors import HypercallError


def outcome(call: Callable[..., object], *arguments: object) -> str:
    """Xen's word for how a call was refused, or ``done``."""
    try:
        call(*arguments)
    except HypercallError as error:
        return errorcode[error.errno]
    return "done"


def refused(errno: int, call: Callable[..., object], *arguments: object) -> None:
    """Asserts that a call is refused with this number."""
    with pytest.raises(HypercallError) as caught:
        call(*arguments)
    assert errorcode[caught.value.errno] == errorcode[errno], str(caught.value)
