"""Flask, device tree overlays and the store's quotas, in xl's words and with its exit codes."""

from __future__ import annotations

from xenvm.cli.xl.shim import FAILED, help_on, tell, usage
from xenvm.errors import ConfigError, HypercallError, UnsupportedError, XenvmError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.cli.xl.shim import Call

_MINUS_ONE = 255
"""What a shell sees of a -1."""


def getenforce(call: Call) -> int:
    """Ends with 1 where the policy is enforced, with 0 where it is not, and with 255 without Flask."""
    from xenvm.cli.run import open_host
    from xenvm.ops import admin

    try:
        with open_host() as host:
            found = admin.enforcing(host)
    except HypercallError:
        return tell("Failed to get enforcing mode", _MINUS_ONE)
    if found is None:
        print("Flask XSM Disabled")
        return _MINUS_ONE
    print("Enforcing" if found else "Permissive")
    return int(found)


def setenforce(call: Call) -> int:
    """Another word than those that it knows is a wrong command line."""
    from xenvm.cli.admin import MODES

    if not call.operands or call.operands[0].lower() not in MODES:
        return usage(call.row)
    try:
        return call.native(call.operands[:1])
    except UnsupportedError:
        return tell("Flask XSM disabled", _MINUS_ONE)
    except HypercallError as error:
        tell(f"xl: {error}")
        return tell("error occured while setting enforcing mode (-1)", _MINUS_ONE)


def loadpolicy(call: Call) -> int:
    """Says in xl's words what went wrong."""
    if not call.operands:
        return usage(call.row)
    path = call.operands[0]
    try:
        return call.native([path])
    except ConfigError as error:
        reason = getattr(error.__cause__, "strerror", None) or error.reason
        return tell(f"Error occurred opening policy file '{path}': {reason}", _MINUS_ONE)
    except UnsupportedError:
        return tell("Flask XSM disabled", _MINUS_ONE)
    except HypercallError as error:
        return tell(f"Unable to load new Flask policy: {error.detail or error}", _MINUS_ONE)


def dt_overlay(call: Call) -> int:
    """Every mistake ends with 1."""
    operation, path, domain, *_ = (*call.operands, "", "", "")
    if not operation:
        help_on("dt-overlay")
        return FAILED
    if operation not in ("add", "remove", "attach"):
        return tell("Invalid dt overlay operation")
    if not path:
        return tell("overlay dtbo file not provided")
    if operation == "attach" and not domain:
        tell("Missing domain ID")
        help_on("dt-overlay")
        return FAILED
    try:
        return min(call.native([operation, path, *([domain] if operation == "attach" else [])]), FAILED)
    except ConfigError as error:
        tell(f"xl: {error}")
        return tell(f"failed to read the overlay device tree file {path}")


def quota_get(call: Call) -> int:
    """One domain, or -g."""
    if len(call.operands) + call.has("g") != 1:
        return tell('Domain or "-g" must be specified.')
    return _quota(call, "Quota could not be obtained.")


def quota_set(call: Call) -> int:
    """One domain, or -g, and at least one quota."""
    if len(call.operands) + call.has("g") < 2:
        tell("Not enough parameters.")
        help_on("xenstore-quota-set")
        return FAILED
    return _quota(call, "Quota could not be set.")


def _quota(call: Call, failed: str) -> int:
    from xenbus.errors import XenbusError
    from xenvm.errors import NoSuchDomain

    try:
        return min(call.native(), FAILED)
    except NoSuchDomain:
        raise
    except (XenvmError, XenbusError) as error:
        tell(f"xl: {error}")
        return tell(failed)
