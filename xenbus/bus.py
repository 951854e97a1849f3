"""The states of a XenBus device's two ends (enum xenbus_state in public/io/xenbus.h), and how the ends close in order.

Each end writes only its own state and decides from that and the peer's, so repeated or skipped states are normal.
"""

from __future__ import annotations

from xenbus.parse import parse_state as parse_state

UNKNOWN = 0
"""There is no such node: the end is gone."""
INITIALISING = 1
INIT_WAIT = 2
INITIALISED = 3
CONNECTED = 4
CLOSING = 5
CLOSED = 6
RECONFIGURING = 7
RECONFIGURED = 8

STATE_NAMES = (
    *("Unknown", "Initialising", "InitWait", "Initialised", "Connected"),
    *("Closing", "Closed", "Reconfiguring", "Reconfigured"),
)
"""Names of the states, by number."""

_ALIVE = (INIT_WAIT, INITIALISED, CONNECTED, RECONFIGURING, RECONFIGURED)

FRONTEND_CLOSE = {
    **{(own, peer): CLOSED for own in (*_ALIVE, CLOSING) for peer in (CLOSING, CLOSED, UNKNOWN)},
    (INITIALISING, CLOSING): CLOSED,
}
"""(frontend's state, backend's state) -> the frontend's next; a pair that is missing asks for nothing."""

BACKEND_CLOSE = {
    **{(own, CLOSING): CLOSING for own in (INITIALISING, *_ALIVE)},
    **{(own, peer): CLOSED for own in (INITIALISING, *_ALIVE, CLOSING) for peer in (CLOSED, UNKNOWN)},
}
"""(backend's state, frontend's state) -> the backend's next; a pair that is missing asks for nothing."""


def state_name(state: int) -> str:
    """For messages: ``4 Connected``."""
    return f"{state} {STATE_NAMES[state]}" if 0 <= state < len(STATE_NAMES) else f"{state} unheard of"


def is_ready(untrusted: bytes | str | None) -> bool:
    """Whether an end has come as far as InitWait, and is not on its way out."""
    return parse_state(untrusted) in _ALIVE


def is_closing(untrusted: bytes | str | None) -> bool:
    """Whether an end closes or has closed; one that is gone counts."""
    return parse_state(untrusted) in (CLOSING, CLOSED, UNKNOWN)


def is_closed(untrusted: bytes | str | None) -> bool:
    """Whether an end has closed; one that is gone counts."""
    return parse_state(untrusted) in (CLOSED, UNKNOWN)
