"""The rules: each can be the answer, something is said of every pair of states, and causes come before symptoms."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from xenbus.bus import CLOSED, CLOSING, CONNECTED, INIT_WAIT, INITIALISED, INITIALISING, UNKNOWN
from xenbus.diagnosis import (
    BACK_END,
    CRASHED,
    DOWN,
    DYING,
    GUEST,
    HOST,
    NOBODY,
    PAUSED,
    RULES,
    RUNNING,
    TOOLSTACK,
    ConsoleFacts,
    Diagnosis,
    Facts,
    diagnose,
    diagnose_console,
    diagnose_guest,
)

LIVES = (RUNNING, PAUSED, DOWN, CRASHED, DYING)


def facts(front: int = CONNECTED, back: int = CONNECTED, **known: object) -> Facts:
    return Facts("g", "vbd", "xenvm block-detach g xvda", "xenvm block-detach g xvda --force", front, back).replace(
        **known
    )


BY_CODE = {
    "record-only": facts(UNKNOWN, UNKNOWN, front_there=False, back_there=False),
    "domain-down": facts(life=CRASHED),
    "back-gone": facts(CONNECTED, UNKNOWN, back_there=False),
    "front-gone": facts(UNKNOWN, CLOSING, front_there=False, online=False),
    "front-removed": facts(UNKNOWN, CONNECTED, front_there=False),
    "front-senseless": facts(UNKNOWN, senseless="'x'"),
    "front-astray": facts(led_astray=True),
    "detach-paused": facts(CONNECTED, CLOSING, online=False, life=PAUSED),
    "ring-missing": facts(INITIALISED, INIT_WAIT, missing=("ring-ref",)),
    "back-failed": facts(CLOSED, CLOSED, back_error="'5 no'"),
    "detach-unheard": facts(INITIALISING, CLOSING, online=False),
    "detach-ignored": facts(CONNECTED, CLOSING, online=False),
    "detach-closing": facts(CLOSING, CLOSING, online=False),
    "detach-back": facts(CLOSED, CLOSING, online=False),
    "detach-finish": facts(CLOSED, CLOSED, online=False),
    "back-driver": facts(INITIALISING, INITIALISING, driver="no driver"),
    "back-not-started": facts(INITIALISING, INITIALISING),
    "back-stopped": facts(INITIALISED, INIT_WAIT, driver="no driver"),
    "interface": facts(CONNECTED, INIT_WAIT, awaited="hotplug-status", interface="vif1.0 does not exist"),
    "hotplug": facts(CONNECTED, INIT_WAIT, awaited="hotplug-status"),
    "front-failed": facts(CLOSED, INIT_WAIT, front_error="'22 no'"),
    "paused": facts(INITIALISING, INIT_WAIT, life=PAUSED),
    "no-driver": facts(INITIALISING, INIT_WAIT, awake=True),
    "front-not-started": facts(INITIALISING, INIT_WAIT),
    "back-connect": facts(INITIALISED, INIT_WAIT),
    "front-connect": facts(INITIALISED, CONNECTED),
    "front-closed": facts(CLOSED, INIT_WAIT),
    "back-behind": facts(CLOSED, CONNECTED),
    "back-closed": facts(CONNECTED, CLOSED),
    "source": facts(source="bridge xenbr0 does not exist"),
    "link": facts(interface="vif1.0 is down"),
    "back-dead": facts(driver="no driver"),
    "connected": facts(),
    "unusual": facts(INIT_WAIT, INIT_WAIT),
}


@pytest.mark.parametrize("code", BY_CODE)
def test_each_rule_can_be_the_answer(code: str) -> None:
    assert diagnose(BY_CODE[code]).code == code


def test_no_rule_is_left_out() -> None:
    assert {rule.code for rule in RULES} == set(BY_CODE)


def test_the_guide_has_all_codes() -> None:
    consoles = ("running", "shutdown-untaken", "console", "console-daemon", "console-lost", "console-not-taken")
    guide = (Path(__file__).resolve().parents[3] / "docs/trouble.md").read_text()
    assert [code for code in (*BY_CODE, *consoles) if f"`{code}`" not in guide] == []


def test_something_is_said_of_everything() -> None:
    texts = ("", "some {braces} in it")
    for front, back, life, online, awaited, error in product(
        range(9), range(9), LIVES, (True, False), ("", "hotplug-status"), texts
    ):
        known = facts(front, back, life=life, online=online, awaited=awaited, back_error=error, front_error=error)
        found = diagnose(known)
        assert found.sentence and "\n" not in found.sentence
        # Nothing is missing only where both are in service, and are to be.
        assert found.well == (min(front, back) >= CONNECTED and front not in (5, 6) and back not in (5, 6) and online
                              and life in (RUNNING, PAUSED)), known  # fmt: skip


@pytest.mark.parametrize(
    ("known", "who", "sentence"),
    [
        (
            facts(INITIALISING, INIT_WAIT, awaited="hotplug-status", source="bridge br0 does not exist", life=PAUSED),
            TOOLSTACK,
            "back end waits for hotplug-status; bridge br0 does not exist",
        ),
        (
            facts(INITIALISING, INIT_WAIT, awaited="hotplug-status", hotplug="'no such bridge'", source="x"),
            TOOLSTACK,
            "back end waits for hotplug-status; 'no such bridge'",
        ),
        (
            facts(INITIALISED, INIT_WAIT, missing=("ring-ref", "event-channel")),
            GUEST,
            "ring-ref, event-channel missing: front end says 3 Initialised, and has not told of its rings",
        ),
        (
            facts(CLOSED, CLOSED, missing=("ring-ref",), back_error="'2 reading ring-ref'"),
            GUEST,
            "ring-ref missing: the guest has not told of its rings; back end: '2 reading ring-ref'",
        ),
        (
            facts(CLOSED, CLOSED, kind="vif", missing=("request-rx-copy",), back_error="'95 does not ask for copying'"),
            GUEST,
            "request-rx-copy missing: the guest has not told of its rings; back end: '95 does not ask for copying'",
        ),
        (
            facts(CLOSED, CLOSED, missing=("ring-ref",), back_error="'2 no such file'"),
            BACK_END,
            "back end has failed: '2 no such file'",
        ),
        (
            facts(CLOSED, CLOSING, online=False, driver="blkback is not there"),
            HOST,
            "back end cannot close: blkback is not there; `xenvm block-detach g xvda --force` takes the device away"
            " all the same",
        ),
        (facts(life=DYING), TOOLSTACK, "domain g is dying: another domain still holds its pages,"
         " such as a back end that has not let go"),
    ],
)  # fmt: skip
def test_the_cause_comes_first(known: Facts, who: str, sentence: str) -> None:
    found = diagnose(known)
    assert (found.who, found.sentence) == (who, sentence)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (ConsoleFacts("g", RUNNING, True, True, True, "/dev/pts/3"),
         Diagnosis("console", NOBODY, "xenconsoled serves it on /dev/pts/3")),
        (ConsoleFacts("g", RUNNING, None, True, False, "/dev/pts/3"),
         Diagnosis("console-lost", HOST, "the console's terminal /dev/pts/3 is gone: xenconsoled has ended")),
        (ConsoleFacts("g", CRASHED, False, True, True),
         Diagnosis("console-daemon", HOST, "xenconsoled is not running")),
    ],
)  # fmt: skip
def test_consoles(known: ConsoleFacts, expected: Diagnosis) -> None:
    assert diagnose_console(known) == expected


@pytest.mark.parametrize(
    ("life", "request_", "code", "who"),
    [
        (RUNNING, "", "running", NOBODY),
        (RUNNING, "'reboot'", "shutdown-untaken", GUEST),
        (PAUSED, "'reboot'", "paused", TOOLSTACK),
        (CRASHED, "", "domain-down", TOOLSTACK),
        (DYING, "", "domain-down", TOOLSTACK),
    ],
)
def test_guests(life: str, request_: str, code: str, who: str) -> None:
    found = diagnose_guest("g", life, request_)
    assert (found.code, found.who, found.well) == (code, who, who == NOBODY)


def test_a_console_that_nobody_has_taken() -> None:
    assert diagnose_console(ConsoleFacts("g", RUNNING, True, False, False)).code == "console-not-taken"
    assert diagnose_console(ConsoleFacts("g", DOWN, True, True, True)).code == "domain-down"
