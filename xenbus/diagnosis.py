"""Why a device does not get on: from the states of its two ends and a few facts, the missing step and who must take it.

The handshake is that of public/io/xenbus.h, blkif.h and netif.h. The rules are one table; the first that fits is the
answer, so what stands above is nearer to the cause.
"""

from __future__ import annotations

from xenbus.bus import (
    CLOSED,
    CLOSING,
    CONNECTED,
    INIT_WAIT,
    INITIALISED,
    INITIALISING,
    RECONFIGURED,
    RECONFIGURING,
    UNKNOWN,
    state_name,
)
from xenbus.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

GUEST, BACK_END, TOOLSTACK, HOST, NOBODY = "guest", "back end", "toolstack", "host", "nobody"
"""Who must take the missing step: the guest's kernel, the back end's driver, the toolstack or whoever uses it (the
hotplug script included), whoever runs the host, and nobody: nothing is missing."""

RUNNING, PAUSED, DOWN, CRASHED, DYING = "running", "paused", "down", "crashed", "dying"
"""How a guest is."""


class Facts(Value):
    """One device and its guest; texts are for people already, whatever a guest wrote is quoted and bounded."""

    guest: str
    """The guest's name or domid, as commands take it."""
    kind: str
    """The class of the device: vbd, vif..."""
    detach: str
    """The command that takes the device away, if the guest lets go."""
    force: str
    """The command that takes it away all the same."""
    front: int
    back: int
    """States; UNKNOWN where there is no such node, or nothing sensible in it."""
    life: str = RUNNING
    awake: bool = False
    """Whether the guest's kernel has told that it follows the store."""
    front_there: bool = True
    back_there: bool = True
    senseless: str = ""
    """What the front end's state says where that is no state."""
    led_astray: bool = False
    """Whether the front end names another back end than the one that the toolstack gave it."""
    online: bool = True
    """Whether the device is to stay."""
    missing: tuple[str, ...] = ()
    """Nodes of the front end that tell of its rings, and are absent or senseless."""
    front_error: str = ""
    back_error: str = ""
    """What the drivers wrote when they failed."""
    driver: str = ""
    """What is wrong with the back end's driver, or with the domain that it runs in."""
    awaited: str = ""
    """The node that the back end waits for and the hotplug script writes, while it is not there."""
    hotplug: str = ""
    """What the script said, or why nobody can do its work."""
    interface: str = ""
    """What is wrong with the network interface of the back end."""
    source: str = ""
    """What is wrong with what the device stands for: the disk's file is gone, the bridge does not exist."""

    @property
    def opened(self) -> bool:
        """Whether the front end is on its way into service, or in it."""
        return self.front in (INIT_WAIT, INITIALISED, CONNECTED, RECONFIGURING, RECONFIGURED)

    @property
    def leaving(self) -> bool:
        """Whether the toolstack wants the device gone."""
        return not self.online or self.back == CLOSING

    @property
    def shared(self) -> bool:
        """Whether the front end has come as far as to have told of its rings."""
        return self.front in (INITIALISED, CONNECTED)


class Diagnosis(Value):
    """The missing step: a short name that does not change, who must take it, and one sentence."""

    code: str
    who: str
    sentence: str

    @property
    def well(self) -> bool:
        """Whether nothing is missing."""
        return self.who == NOBODY


class Rule(Value):
    """`say` is a sentence with fields of Facts in braces, or makes one."""

    code: str
    who: str
    fits: Callable[[Facts], object]
    say: str | Callable[[Facts], str]


DRIVERS = {"vbd": "xen-blkfront", "vif": "xen-netfront", "9pfs": "9pnet_xen", "vkbd": "xen-kbdfront",
           "vdispl": "drm_xen_front", "vsnd": "snd_xen_front", "pvcalls": "pvcalls-front"}  # fmt: skip
"""What Linux calls the front ends' drivers."""


def _no_driver(facts: Facts) -> str:
    named = f" (Linux: {DRIVERS[facts.kind]})" if facts.kind in DRIVERS else ""
    return f"front end has not started: the guest's kernel runs, and no driver of it has taken the {facts.kind}{named}"


def _waits(facts: Facts) -> str:
    why = facts.hotplug or facts.source or "neither the toolstack nor its hotplug script has written it"
    return f"back end waits for {facts.awaited}; {why}"


_STOPPED = {
    PAUSED: "is paused, so it does nothing: `xenvm unpause {0}`",
    DOWN: "has shut down, and nobody has cleared it away: `xenvm destroy {0}`",
    CRASHED: "has crashed, see its console's log; `xenvm destroy {0}` clears it away",
    DYING: "is dying: another domain still holds its pages, such as a back end that has not let go",
}


def diagnose_guest(guest: str, life: str, request: str = "") -> Diagnosis:
    """The same for a guest itself; `request` is what control/shutdown still asks of it, quoted and bounded."""
    if life in _STOPPED:
        code = "paused" if life == PAUSED else "domain-down"
        return Diagnosis(code, TOOLSTACK, f"domain {guest} {_STOPPED[life].format(guest)}")
    if request:
        asked = f"domain {guest} is asked for {request} by control/shutdown, and the guest's kernel has not taken that"
        ways = f"see its console: `xenvm console {guest}`; `xenvm destroy {guest}` ends it anyway"
        return Diagnosis("shutdown-untaken", GUEST, f"{asked}; {ways}")
    return Diagnosis("running", NOBODY, f"domain {guest} runs")


def _stopped(facts: Facts) -> str:
    return diagnose_guest(facts.guest, facts.life).sentence


def _cannot_close(facts: Facts) -> object:
    return facts.leaving and facts.back != CLOSED and facts.driver


_RINGS = ("ring", "event-channel", "copy")
"""Words of back ends that miss what a front end tells of its rings."""


def _lacks_rings(facts: Facts) -> bool:
    error = facts.back_error
    failed = facts.online and facts.back in (CLOSING, CLOSED) and any(word in error for word in _RINGS)
    return bool(facts.missing) and failed


_CANNOT_CLOSE = "back end cannot close: {driver}; `{force}` takes the device away all the same"


RULES = (
    Rule(
        "record-only",
        TOOLSTACK,
        lambda f: not (f.front_there or f.back_there),
        "both ends are gone, and the toolstack's record is left: `{force}` clears it away",
    ),
    Rule("domain-down", TOOLSTACK, lambda f: f.life in (DOWN, CRASHED, DYING), _stopped),
    Rule(
        "back-gone",
        TOOLSTACK,
        lambda f: not f.back_there,
        lambda f: f"back end is gone: {f.driver}{f.driver and '; '}`{f.force}` clears the rest away",
    ),
    Rule("back-stopped", HOST, lambda f: not f.front_there and _cannot_close(f), _CANNOT_CLOSE),
    Rule(
        "front-gone",
        BACK_END,
        lambda f: not f.front_there and f.leaving and f.back != CLOSED,
        "front end is gone, and the back end has to close: see the kernel's log of its domain",
    ),
    Rule(
        "front-removed",
        GUEST,
        lambda f: not f.front_there,
        "front end is gone: the guest has removed its nodes; `{force}` takes the rest away",
    ),
    Rule(
        "front-senseless",
        GUEST,
        lambda f: f.senseless,
        "the guest has written {senseless} as its state, which is none: its driver is broken or hostile",
    ),
    Rule(
        "front-astray",
        GUEST,
        lambda f: f.led_astray,
        "the guest has changed which back end its front end names: its driver is broken or hostile",
    ),
    # The device is to go.
    Rule(
        "detach-paused",
        TOOLSTACK,
        lambda f: f.leaving and f.front not in (UNKNOWN, CLOSED) and f.life == PAUSED,
        _stopped,
    ),
    Rule(
        "ring-missing",
        GUEST,
        _lacks_rings,
        lambda f: f"{', '.join(f.missing)} missing: the guest has not told of its rings; back end: {f.back_error}",
    ),
    Rule(
        "back-failed",
        BACK_END,
        lambda f: f.back_error and f.online and f.back in (CLOSING, CLOSED),
        "back end has failed: {back_error}",
    ),
    Rule(
        "detach-unheard",
        GUEST,
        lambda f: f.leaving and f.back == CLOSING and f.front == INITIALISING,
        "nobody in the guest has heard of the detach: no driver has taken the device;"
        " `{force}` takes it away all the same",
    ),
    Rule(
        "detach-ignored",
        GUEST,
        lambda f: f.leaving and f.back == CLOSING and f.opened,
        lambda f: (
            f"the guest ignores the detach: front end still {_name(f.front)};"
            f" `{f.force}` takes the device away all the same"
        ),
    ),
    Rule(
        "detach-closing",
        GUEST,
        lambda f: f.leaving and f.back == CLOSING and f.front == CLOSING,
        "the guest closes its front end, and has not finished",
    ),
    Rule("back-stopped", HOST, _cannot_close, _CANNOT_CLOSE),
    Rule(
        "detach-back",
        BACK_END,
        lambda f: f.leaving and f.back != CLOSED,
        "front end has let go, and the back end has to close: see the kernel's log of its domain",
    ),
    Rule("detach-finish", TOOLSTACK, lambda f: not f.online, "back end has closed: `{detach}` clears the device away"),
    # The host's part of the way to Connected.
    Rule(
        "back-driver",
        HOST,
        lambda f: f.back in (UNKNOWN, INITIALISING) and f.driver,
        "back end has not started: {driver}",
    ),
    Rule(
        "back-not-started",
        BACK_END,
        lambda f: f.back in (UNKNOWN, INITIALISING),
        "back end has not started: its driver has not taken the device; see the kernel's log of its domain",
    ),
    Rule("back-stopped", HOST, lambda f: f.driver and f.back != CONNECTED, "back end does nothing: {driver}"),
    Rule("interface", BACK_END, lambda f: f.back == INIT_WAIT and f.awaited and f.interface, "back end: {interface}"),
    Rule("hotplug", TOOLSTACK, lambda f: f.back == INIT_WAIT and f.awaited, _waits),
    # The guest's part.
    Rule("front-failed", GUEST, lambda f: f.front_error and not f.opened, "front end has failed: {front_error}"),
    Rule("paused", TOOLSTACK, lambda f: f.life == PAUSED and not _both_connected(f), _stopped),
    Rule("no-driver", GUEST, lambda f: f.front == INITIALISING and f.back != CLOSED and f.awake, _no_driver),
    Rule(
        "front-not-started",
        GUEST,
        lambda f: f.front == INITIALISING and f.back != CLOSED,
        "front end has not started: the guest's kernel has not booted, or has no driver for {kind};"
        " see its console: `xenvm console {guest}`",
    ),
    Rule(
        "ring-missing",
        GUEST,
        lambda f: f.back == INIT_WAIT and f.shared and f.missing,
        lambda f: f"{', '.join(f.missing)} missing: front end says {_name(f.front)}, and has not told of its rings",
    ),
    Rule(
        "back-connect",
        BACK_END,
        lambda f: f.back == INIT_WAIT and f.shared,
        "front end is ready, and the back end has to map its rings: see the kernel's log of its domain",
    ),
    Rule(
        "front-connect",
        GUEST,
        lambda f: f.back == CONNECTED and f.front == INITIALISED,
        "back end is connected, and the guest has to read its properties: see its console",
    ),
    Rule(
        "front-closed",
        GUEST,
        lambda f: f.front == CLOSED and f.back in (INIT_WAIT, CLOSED),
        "the guest has closed its front end: the device goes on when the guest's driver takes it again",
    ),
    Rule(
        "back-behind",
        BACK_END,
        lambda f: f.front in (CLOSING, CLOSED) and f.back == CONNECTED,
        "the guest closes its front end, and the back end has to follow: see the kernel's log of its domain",
    ),
    Rule(
        "back-closed",
        BACK_END,
        lambda f: f.back == CLOSED,
        "back end has closed although the device is to stay: see the kernel's log of its domain",
    ),
    # Both are in service.
    Rule("source", HOST, lambda f: _both_connected(f) and f.source, "both ends are connected, but {source}"),
    Rule("link", HOST, lambda f: _both_connected(f) and f.interface, "both ends are connected, but {interface}"),
    Rule("back-dead", HOST, lambda f: _both_connected(f) and f.driver, "both ends are connected, but {driver}"),
    Rule("connected", NOBODY, lambda f: _both_connected(f), "both ends are connected"),
    Rule(
        "unusual",
        BACK_END,
        lambda f: True,
        lambda f: f"front end {_name(f.front)} and back end {_name(f.back)} are no step of the handshake",
    ),
)
"""From the cause to the symptom."""


def diagnose(facts: Facts) -> Diagnosis:
    """What the first fitting rule says."""
    rule = next(rule for rule in RULES if rule.fits(facts))
    say = rule.say
    return Diagnosis(rule.code, rule.who, say.format(**facts.as_dict()) if isinstance(say, str) else say(facts))


def _both_connected(facts: Facts) -> bool:
    lively = (CONNECTED, RECONFIGURING, RECONFIGURED)
    return facts.front in lively and facts.back in lively


def _name(state: int) -> str:
    return state_name(state)


class ConsoleFacts(Value):
    """A console that the console daemon serves: no handshake, only the daemon and the terminal that it tells of."""

    guest: str
    life: str
    daemon: bool | None
    """Whether the console daemon runs, None where nobody can tell."""
    told: bool
    """Whether the daemon has said where its terminal is."""
    there: bool
    """Whether that terminal exists."""
    tty: str = ""
    """Where, quoted and bounded."""


def diagnose_console(facts: ConsoleFacts) -> Diagnosis:
    """The same for a console."""
    if facts.daemon is False:
        return Diagnosis("console-daemon", HOST, "xenconsoled is not running")
    if facts.life in (DOWN, CRASHED, DYING):
        return Diagnosis("domain-down", TOOLSTACK, f"domain {facts.guest} is {facts.life}, and its console with it")
    if not facts.told:
        return Diagnosis("console-not-taken", BACK_END, "xenconsoled has not taken the console: see its log")
    if not facts.there:
        return Diagnosis("console-lost", HOST, f"the console's terminal {facts.tty} is gone: xenconsoled has ended")
    return Diagnosis("console", NOBODY, f"xenconsoled serves it on {facts.tty}")
