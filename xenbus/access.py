"""Who may do what with a node, in words, and a store as a guest sees it (docs/misc/xenstore.txt, permissions)."""

from __future__ import annotations

from xenbus.errors import AccessDenied, NotFound
from xenbus.operations import Operations
from xenbus.path import parent
from xenbus.perm import DOMID_ANY
from xenbus.request import GetPerms, List, Read
from xenbus.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins
    from collections.abc import Sequence
    from typing import Any

    from xenbus.operations import Reply
    from xenbus.perm import Perm
    from xenbus.request import Request


class Rights(Value):
    """What one domain may do with a node, and `why` in a clause."""

    read: bool
    write: bool
    why: str


def rights(perms: Sequence[Perm], domid: int) -> Rights:
    """What `domid` may do under these permissions."""
    if domid == 0:
        return Rights(True, True, "domain 0 is privileged")
    if perms[0].domid == domid:
        return Rights(True, True, "it owns the node")
    for perm in perms[1:]:
        if perm.domid in (domid, DOMID_ANY):
            return Rights(perm.read, perm.write, f"the entry {perm} says so")
    return Rights(perms[0].read, perms[0].write, f"no entry names it, so the letter of the first, {perms[0]}, decides")


def explain(path: str, perms: Sequence[Perm]) -> list[str]:
    """Sentences: whose place this is, who may read and write, and why."""
    owner, others = perms[0], perms[1:]
    lines = [place(path)] if place(path) else []
    lines.append(f"Domain {owner.domid} owns it, and so may read it, write it and change its permissions.")
    if owner.domid != 0:
        lines.append("Domain 0 is privileged, as is every client of the socket: it may do the same.")
    seen = {0, owner.domid}
    for perm in others:
        if perm.domid in seen or DOMID_ANY in seen:
            lines.append(f"The entry {perm} adds nothing: what {_whom(perm.domid)} may do is said before.")
            continue
        seen.add(perm.domid)
        lines.append(f"{_whom(perm.domid).capitalize()} may {_what(perm)}: the entry {perm}.")
    if DOMID_ANY not in seen:
        lines.append(f"All other domains may {_what(owner)}: the letter of the first entry, {owner}.")
    lines.append("Who may write it may also remove it with all below, and make nodes below it, which inherit this.")
    return lines


def _whom(domid: int) -> str:
    return "all domains" if domid == DOMID_ANY else f"domain {domid}"


def _what(perm: Perm) -> str:
    if perm.read:
        return "read and write it" if perm.write else "read it, not write it"
    return "write it, not read it" if perm.write else "neither read nor write it"


def place(path: str) -> str:
    """Whose place a path is, as a sentence; nothing if it is nobody's."""
    names = path.split("/")[1:]
    match names:
        case ["libxl", *_]:
            return "It is of the toolstack's own records, which no guest should be able to write."
        case ["local", "domain", _, "backend", kind, guest, device, *_]:
            return f"It is of the back end in domain {names[2]} of {kind} {device} of domain {guest}."
        case ["local", "domain", guest, "device", kind, device, *_]:
            return f"It is of the front end of {kind} {device}, which domain {guest} drives."
        case ["local", "domain", guest, *_]:
            return f"It is in the home of domain {guest}."
        case ["vm", *_]:
            return "It is of the records of a guest by its uuid."
        case ["tool", *_]:
            return "It is of the records of this host's daemons."
    return ""


class GuestView(Operations):
    """What a guest can see of a store; changes are refused. Paths that are relative begin at the guest's home."""

    def __init__(self, store: Operations, domid: int) -> None:
        self._store, self.domid = store, domid

    def absolute(self, path: str) -> str:
        """A path as the server would understand it from this guest."""
        return path if path.startswith(("/", "@")) else f"/local/domain/{self.domid}/{path}"

    def call(self, request: Request, tx: int = 0) -> Any:
        """One request's value, or the error that the guest would get."""
        (reply,) = self.batch([request], tx)
        if isinstance(reply, Exception):
            raise reply
        return reply

    def batch(self, requests: Sequence[Request], tx: int = 0) -> builtins.list[Reply]:
        """All replies as the guest would get them."""
        looks = [self._look(request) for request in requests]
        replies = self._store.batch([*looks, *(GetPerms(look.path) for look in looks)], tx)
        pairs = zip(looks, replies, replies[len(looks) :], strict=False)
        return [self._judged(look, reply, perms) for look, reply, perms in pairs]

    def _look(self, request: Request) -> Request:
        """The request with an absolute path; what is no look is refused."""
        for kind in (Read, List, GetPerms):
            if isinstance(request, kind):
                return kind(self.absolute(request.path))
        raise AccessDenied("EACCES", request.verb, f"{request.path} through the eyes of domain {self.domid}".lstrip())

    def _judged(self, look: Request, reply: Reply, perms: Reply) -> Reply:
        if isinstance(perms, NotFound):
            perms = self._nearest(look.path)
        if isinstance(perms, Exception) or rights(perms, self.domid).read:
            return reply
        return AccessDenied("EACCES", look.verb, look.path)

    def _nearest(self, path: str) -> Sequence[Perm]:
        """Permissions of the nearest node above that exists: they decide whether the guest may learn of the lack."""
        while True:
            path = parent(path)
            try:
                return self._store.get_perms(path)
            except NotFound:
                if path == "/":
                    raise
