"""How the two ends of a XenBus device connect, reconnect, close, and are removed by force: transition tables.

A table maps (own state, other end's state) to the move to make; a pair that is missing asks for nothing. Each end
writes only its own state and looks at values, never at the number of events, so repeated, skipped and merged states
are normal. A state that is absent is UNKNOWN: that end is gone.
"""

from __future__ import annotations

from xenbus.bus import (
    BACKEND_CLOSE,
    CLOSED,
    CLOSING,
    CONNECTED,
    FRONTEND_CLOSE,
    INIT_WAIT,
    INITIALISED,
    INITIALISING,
    RECONFIGURED,
    RECONFIGURING,
    UNKNOWN,
)
from xenbus.value import Value

OFFER = "offer"
"""A back end publishes its features."""
PUBLISH = "publish"
"""A front end makes its rings and writes where they are."""
CONNECT = "connect"
"""An end takes up service: the back end maps the rings, the front end reads the properties."""
REFRESH = "refresh"
"""A connected front end reads the properties anew: a disk has another size."""
RECONFIGURE = "reconfigure"
"""A back end reads anew what the front end asks for."""
RELEASE = "release"
"""An end gives up everything it shares."""
NOTHING = ""


class Move(Value):
    """What to do, and the own state after it."""

    action: str
    state: int


Table = dict[tuple[int, int], Move]

FRONTEND: Table = {
    **{pair: Move(RELEASE, state) for pair, state in FRONTEND_CLOSE.items()},
    (INITIALISING, CLOSING): Move(NOTHING, CLOSED),
    (INITIALISING, INIT_WAIT): Move(PUBLISH, INITIALISED),
    (INITIALISED, CONNECTED): Move(CONNECT, CONNECTED),
    (CONNECTED, CONNECTED): Move(REFRESH, CONNECTED),
    (CONNECTED, RECONFIGURED): Move(REFRESH, CONNECTED),
}
"""Of most front ends: vbd, console, 9pfs, vkbd, vdispl, vsnd, pvcalls."""

FRONTEND_AT_ONCE: Table = {**FRONTEND, (INITIALISING, INIT_WAIT): Move(PUBLISH, CONNECTED)}
"""Of front ends that are in service as soon as their rings are published, and do not wait for the back end: vif."""

FRONTEND_TOLERANT: Table = {**FRONTEND, (INITIALISING, CONNECTED): Move(PUBLISH, INITIALISED)}
"""Of front ends whose back end may skip InitWait: vkbd, vfb."""

BACKEND: Table = {
    **{pair: Move(RELEASE, state) for pair, state in BACKEND_CLOSE.items()},
    **{(INITIALISING, peer): Move(OFFER, INIT_WAIT) for peer in (INITIALISING, INIT_WAIT, INITIALISED, CONNECTED)},
    **{(INIT_WAIT, peer): Move(CONNECT, CONNECTED) for peer in (INITIALISED, CONNECTED)},
    # The front end comes back: another driver, or another kernel, of the same guest.
    (CLOSED, INITIALISING): Move(OFFER, INIT_WAIT),
    (CONNECTED, RECONFIGURING): Move(RECONFIGURE, RECONFIGURED),
    (RECONFIGURED, CONNECTED): Move(NOTHING, CONNECTED),
}
"""Of back ends."""

FRONTEND_RESET: Table = {
    (CONNECTED, CONNECTED): Move(NOTHING, CLOSING),
    (CLOSING, CLOSING): Move(NOTHING, CLOSED),
    (CLOSING, CLOSED): Move(NOTHING, CLOSED),
    (CLOSING, UNKNOWN): Move(NOTHING, CLOSED),
    (CLOSED, CLOSED): Move(NOTHING, INITIALISING),
    (CLOSED, INIT_WAIT): Move(NOTHING, INITIALISING),
}
"""Of a kernel that starts where another one left its front ends connected (kexec): until InitWait is seen again."""

FRONTEND_SHUTDOWN: Table = {
    **{(own, peer): Move(NOTHING, CLOSING) for own in (INITIALISED, CONNECTED) for peer in (INIT_WAIT, CONNECTED)},
    **{(CLOSING, peer): Move(RELEASE, CLOSED) for peer in (CLOSING, CLOSED, UNKNOWN)},
}
"""Of a guest that goes down, and closes its devices first."""

REMOVAL = (("online", "0"), ("state", str(CLOSING)))
"""What a toolstack writes into a back end, in one transaction, to have it closed; not where its state is Closed."""
