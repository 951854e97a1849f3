"""Which action follows which end."""

from __future__ import annotations

import pytest

from xenvm.errors import ConfigError
from xenvm.guest.load import load_text
from xenvm.guest.spec import ACTIONS, GuestSpec
from xenvm.host.hyper import SHUTDOWN_REASONS
from xenvm.ops.actions import action_for, check_actions

KEYS = ("on_poweroff", "on_reboot", "on_crash", "on_watchdog", "on_soft_reset")


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("action", ACTIONS)
def test_each_reason_has_its_own(key: str, action: str) -> None:
    spec = GuestSpec("g", "/k", **{key: action})  # type: ignore[arg-type]
    reason = key.removeprefix("on_").replace("_", "-")
    assert action_for(spec, SHUTDOWN_REASONS.index(reason)) == action


def test_an_unknown_reason_is_a_crash() -> None:
    assert action_for(GuestSpec("g", "/k", on_crash="preserve"), 99) == "preserve"


@pytest.mark.parametrize("key", KEYS[:4])
def test_a_soft_reset_is_refused_where_it_is_wanted(key: str) -> None:
    spec = load_text(f'name = "g"\nkernel = "/k"\n{key} = "soft-reset"\n', "g.cfg")[0]
    with pytest.raises(ConfigError, match=rf"g\.cfg:3:1: {key}=soft-reset: Xen on ARM cannot"):
        check_actions(spec)


def test_everything_else_is_fine() -> None:
    for action in ACTIONS[:-1]:
        check_actions(GuestSpec("g", "/k", **dict.fromkeys(KEYS, action)))  # type: ignore[arg-type]
    check_actions(GuestSpec("g", "/k"))
