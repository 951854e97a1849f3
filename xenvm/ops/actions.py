"""on_poweroff, on_reboot, on_crash, on_watchdog, on_soft_reset: which action follows which end. Pure."""

from __future__ import annotations

from xenvm.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.guest.spec import GuestSpec

_KEYS = ("on_poweroff", "on_reboot", "on_crash", "on_watchdog")


def action_for(spec: GuestSpec, code: int) -> str:
    """What the configuration wants after a shutdown with this code: one of spec.ACTIONS, empty after a suspend; an
    unknown code is a crash."""
    wanted = (spec.on_poweroff, spec.on_reboot, "", spec.on_crash, spec.on_watchdog, spec.on_soft_reset)
    return wanted[code] if code < len(wanted) else spec.on_crash


def check_actions(spec: GuestSpec) -> None:
    """Refuses actions that would end in something else than what they say; ConfigError."""
    for key in _KEYS:
        if getattr(spec, key) == "soft-reset":
            line, column = (spec.places or {}).get(key, (0, 0))
            reason = f"{key}=soft-reset: Xen on ARM cannot reset a domain softly; `restart` makes it anew"
            raise ConfigError(reason, source=spec.source, line=line, column=column)
