"""Which changes of a store a person should be asked about first: pure, by path."""

from __future__ import annotations

from xenbus.parse import parse_domid
from xenbus.request import Mkdir, Remove, SetPerms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xenbus.request import Request

_SHOWN = 3
_ROOTS = ("", "local", "local/domain", "local/domain/0", "local/domain/0/backend", "vm", "libxl", "tool")
_DRIVEN = ("state", "online", "hotplug-status", "physical-device", "frontend", "backend")


def dangers(requests: Sequence[Request]) -> list[str]:
    """Why these requests should not be done without a question; nothing if they are harmless."""
    reasons = [reason for request in requests if (reason := danger(request))]
    more = len(reasons) - _SHOWN
    return reasons[:_SHOWN] + ([f"and {more} more"] if more > 0 else [])


def danger(request: Request) -> str | None:
    """Why one request is dangerous: a clause with its path."""
    if request.path.startswith("@"):
        return f"{request.path} decides which domains learn that others come and go"
    path = request.path if request.path.startswith("/") else f"/local/domain/0/{request.path}"
    names = [name for name in path.split("/") if name]
    if isinstance(request, Mkdir):
        return None
    if "/".join(names) in _ROOTS:
        return f"{path} is what all domains of this host hang on"
    if isinstance(request, Remove) and _is_domain(names):
        return f"{path} is all that is known of domain {names[-1]}"
    if names[0] == "libxl":
        return f"{path} is of the toolstack's records, by which domains are found and destroyed"
    if names[0] == "tool":
        return f"{path} is of the records of this host's daemons"
    if names[:2] == ["local", "domain"] and len(names) > 3:
        return _in_home(path, names[2], names[3:], isinstance(request, SetPerms))
    return None


def grave(path: str, lives: Callable[[int], bool]) -> str | None:
    """Why a node should not be removed by a script that does not say that it means it; `lives` tells of domids.

    Far less than `danger`: only what takes a living domain, or the whole host, down with it.
    """
    path = path if path.startswith("/") else f"/local/domain/0/{path}"
    names = [name for name in path.split("/") if name]
    if "/".join(names) in _ROOTS:
        return f"{path} is what all domains of this host hang on"
    match names:
        case ["local", "domain", whose] | ["libxl", whose] if _lives(whose, lives):
            return f"{path} is all that is known of domain {whose}, which lives"
        case ["local", "domain", _, "backend"] | ["local", "domain", _, "backend", _]:
            return f"{path} is what the back ends of many domains hang on"
        case ["local", "domain", _, "backend", _, whose, *rest] if len(rest) < 2 and _lives(whose, lives):
            return f"{path} is a back end of domain {whose}, which lives"
        case ["local", "domain", whose, "device", *rest] if len(rest) < 3 and _lives(whose, lives):
            return f"{path} is of the devices of domain {whose}, which lives"
    return None


def _lives(name: str, lives: Callable[[int], bool]) -> bool:
    domid = parse_domid(name)
    return domid is not None and lives(domid)


def _is_domain(names: list[str]) -> bool:
    home = names[:2] == ["local", "domain"] and len(names) == 3
    return (home or (names[0] == "libxl" and len(names) == 2)) and parse_domid(names[-1]) is not None


def _in_home(path: str, domid: str, rest: list[str], perms: bool) -> str | None:
    if rest[0] == "backend" and (len(rest) <= 4 or rest[-1] in _DRIVEN):
        return f"{path} is what a back end of domain {domid} acts on at once"
    if rest[0] in ("device", "console", "vuart") and (len(rest) <= 3 or rest[-1] in _DRIVEN):
        return f"{path} is what a device's two ends act on at once"
    if rest[0] == "control" and not perms:
        return f"{path} makes domain {domid} act: it may go down"
    if rest[0] in ("name", "vm", "store", "domid"):
        return f"{path} is how the toolstack and the daemons know domain {domid}"
    return None
