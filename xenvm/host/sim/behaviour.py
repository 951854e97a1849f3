"""How a simulated guest behaves: well, or badly in one of the ways that a toolstack has to live with."""

from __future__ import annotations

from xenbus.value import Value
from xenvm.errors import ConfigError


class Behaviour(Value):
    """What is not as usual in a guest; without arguments, nothing."""

    delay: float = 0.0
    """Seconds after which it reacts to anything, its start included."""
    dead: bool = False
    """It runs, and never does anything."""
    crash_at_boot: bool = False
    """It panics after the first lines of its boot log."""
    ignore_shutdown: bool = False
    """It does not take requests in control/shutdown."""
    ignore_detach: bool = False
    """Its front ends stay connected, whatever the back ends do."""
    no_disk_driver: bool = False
    """It has no driver for disks."""
    no_net_driver: bool = False
    """It has no driver for interfaces."""
    keeps_rings: bool = False
    """Its front ends say that they are ready, and do not tell where their rings are."""
    hostile: bool = False
    """It overwrites all that it may write in the store, and its rings, with senseless values."""


SLOW_SECONDS = 3.0
BEHAVIOUR_KEY = "xenvm.behaviour="
"""How a word of a guest's command line begins that says how its simulated kernel behaves."""

_WORDS = {
    "normal": Behaviour(),
    "slow": Behaviour(delay=SLOW_SECONDS),
    "dead": Behaviour(dead=True),
    "crash": Behaviour(crash_at_boot=True),
    "ignore-shutdown": Behaviour(ignore_shutdown=True),
    "ignore-detach": Behaviour(ignore_detach=True),
    "no-vbd": Behaviour(no_disk_driver=True),
    "no-vif": Behaviour(no_net_driver=True),
    "no-rings": Behaviour(keeps_rings=True),
    "hostile": Behaviour(hostile=True),
}


def behaviour_of(bootargs: str, otherwise: Behaviour) -> Behaviour:
    """What a command line says, as ``xenvm.behaviour=slow,hostile``; unknown words mean nothing, as to any kernel."""
    told = [word.removeprefix(BEHAVIOUR_KEY) for word in bootargs.split() if word.startswith(BEHAVIOUR_KEY)]
    words = [word for each in told for word in each.split(",") if word in _WORDS]
    return parse_behaviour(",".join(words)) if words else otherwise


def parse_behaviour(text: str) -> Behaviour:
    """From words joined by commas: normal, slow, dead, crash, ignore-shutdown, ignore-detach, ... ConfigError."""
    merged = Behaviour()
    for word in filter(None, (part.strip() for part in text.split(","))):
        if word not in _WORDS:
            raise ConfigError(f"a simulated guest cannot be {word!r}, only {', '.join(_WORDS)}")
        merged = merged.replace(**{key: value for key, value in _WORDS[word].as_dict().items() if value})
    return merged
