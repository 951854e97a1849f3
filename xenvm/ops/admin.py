"""Xen's security policy, overlays of its device tree, and the quotas of the store: what concerns the whole host."""

from __future__ import annotations

from errno import ENOSYS, EOPNOTSUPP

from xenbus.errors import StoreError
from xenbus.request import GetQuota, QuotaNames, SetQuota
from xenvm.errors import ConfigError, HypercallError, UnsupportedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from xenvm.host.hyper import DomainInfo
    from xenvm.host.open import Host
    from xenvm.types import Domid

NO_QUOTA = 0xFFFFFFFF
"""What the store has for a domain without a quota of its own."""


def enforcing(host: Host) -> bool | None:
    """Whether Flask forbids what its policy does not allow; None: this Xen has no Flask."""
    try:
        return host.hyper.admin.enforcing()
    except HypercallError as error:
        if error.errno == ENOSYS:
            return None
        raise


def set_enforcing(host: Host, on: bool) -> None:
    """Changes that; UnsupportedError without Flask."""
    _asked(lambda: host.hyper.admin.set_enforcing(on), "this Xen is built, or was started, without Flask")


def load_policy(host: Host, policy: bytes) -> None:
    """Puts a compiled policy in the place of the one at work; UnsupportedError without Flask."""
    _asked(lambda: host.hyper.admin.load_policy(policy), "this Xen is built, or was started, without Flask")


def labels(host: Host, infos: Iterable[DomainInfo]) -> dict[int, str]:
    """The security labels of domains by their numbers; none where Xen has no Flask, or does not tell."""
    found: dict[int, str] = {}
    for number in {info.ssidref for info in infos}:
        try:
            found[number] = host.hyper.admin.label(number)
        except HypercallError as error:
            if error.errno == ENOSYS:
                break
    return found


def change_overlay(host: Host, operation: str, overlay: bytes, domain: Domid | None) -> None:
    """`operation` is add, remove or attach, to `domain`; UnsupportedError where this Xen has nothing of the kind."""
    admin = host.hyper.admin
    if operation == "attach":
        if domain is None:
            raise ConfigError("attach needs a domain", source="command line")
        _asked(lambda: admin.attach_overlay(domain, overlay))
    elif operation in ("add", "remove"):
        _asked(lambda: (admin.add_overlay if operation == "add" else admin.remove_overlay)(overlay))
    else:
        raise ConfigError(f"`{operation}' is none of add, remove and attach", source="command line")


def _asked(call: Callable[[], None], sentence: str = "") -> None:
    try:
        call()
    except HypercallError as error:
        if error.errno in (ENOSYS, EOPNOTSUPP):
            raise UnsupportedError(sentence or error.detail or str(error)) from error
        raise


def quotas(host: Host, domid: Domid | None) -> dict[str, int]:
    """The store's quotas by their names: of all domains (None), or of one, without those that it has not."""
    names = _names(host)
    replies = host.store.batch([GetQuota(domid, name) for name in names])
    found = {name: _checked(reply) for name, reply in zip(names, replies, strict=True)}
    return {name: value for name, value in found.items() if value != NO_QUOTA}


def set_quotas(host: Host, domid: Domid | None, wanted: dict[str, int]) -> None:
    """Changes some of them; ConfigError: there is no such quota, and nothing is changed."""
    known = _names(host)
    for name in wanted:
        if name not in known:
            raise ConfigError(f"there is no quota {name}, only {', '.join(known)}", source="command line")
    for reply in host.store.batch([SetQuota(domid, name, value) for name, value in wanted.items()]):
        _checked(reply)


def _names(host: Host) -> tuple[str, ...]:
    reply = host.store.batch([QuotaNames()])[0]
    if isinstance(reply, StoreError):
        reason = "this host's xenstored tells and takes no quotas while it runs: it is older than that of Xen 4.22"
        raise UnsupportedError(reason) from reply
    return tuple(reply)


def _checked(reply: object) -> int:
    if isinstance(reply, BaseException):
        raise reply
    return reply if isinstance(reply, int) else 0
