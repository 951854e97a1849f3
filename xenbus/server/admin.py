"""The operations on domains, their features and their quotas (docs/misc/xenstore.txt), nearly all for domain 0 only."""

from __future__ import annotations

from xenbus import wire
from xenbus.server import quota
from xenbus.server.arguments import Refused, domid_of, only_string, plain_number, strings
from xenbus.server.domains import FEATURES, SELF

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenbus.server.connection import Connection
    from xenbus.server.domains import Domain
    from xenbus.server.engine import Engine
    from xenbus.server.view import View

_NOT_SET = 0xFFFFFFFF


def introduce(engine: Engine, client: Connection, view: View, payload: bytes) -> bytes:
    """INTRODUCE: domid, frame of the ring, event channel."""
    words = strings(payload)
    if len(words) < 3:
        raise Refused("EINVAL")
    number, port = domid_of(words[0]), plain_number(words[2])
    if port <= 0:
        raise Refused("EINVAL")
    engine.introduce(number, plain_number(words[1]) % (1 << 32), port)
    return wire.OK


def release(engine: Engine, client: Connection, view: View, payload: bytes) -> bytes:
    """RELEASE: a domain is not served any more."""
    engine.release(_guest(engine, payload).domid)
    return wire.OK


def resume(engine: Engine, client: Connection, view: View, payload: bytes) -> bytes:
    """RESUME: the domain's next shutdown is to be told again."""
    _guest(engine, payload).shut_down = False
    return wire.OK


def set_target(engine: Engine, client: Connection, view: View, payload: bytes) -> bytes:
    """SET_TARGET: the first domain gets the rights of the second as well."""
    words = strings(payload)
    if len(words) < 2:
        raise Refused("EINVAL")
    numbers = domid_of(words[0]), domid_of(words[1])
    domain, target = map(engine.domains.introduced, numbers)
    if domain is None or target is None:
        raise Refused("ENOENT")
    domain.target = target.domid
    return wire.OK


def is_introduced(engine: Engine, client: Connection, view: View, payload: bytes) -> bytes:
    """IS_DOMAIN_INTRODUCED: T or F."""
    number = domid_of(only_string(payload))
    return b"T\0" if number == SELF or engine.domains.introduced(number) else b"F\0"


def domain_path(engine: Engine, client: Connection, view: View, payload: bytes) -> bytes:
    """GET_DOMAIN_PATH: of any domain, whether it exists or not."""
    return b"/local/domain/%d\0" % domid_of(only_string(payload))


def get_feature(engine: Engine, client: Connection, view: View, payload: bytes) -> bytes:
    """GET_FEATURE: of the client itself, or of the domain that it names."""
    words = strings(payload)
    if not words:
        return b"%d\0" % client.domain.features
    if not client.privileged:
        raise Refused("EACCES")
    if len(words) > 1:
        raise Refused("EINVAL")
    return b"%d\0" % _existing(engine, words[0]).features


def set_feature(engine: Engine, client: Connection, view: View, payload: bytes) -> bytes:
    """SET_FEATURE: what a domain is offered, as long as it is not introduced."""
    words = strings(payload)
    if len(words) != 2:
        raise Refused("EINVAL")
    domain, features = _existing(engine, words[0]), plain_number(words[1])
    if domain.introduced:
        raise Refused("EBUSY")
    if features & ~FEATURES:
        raise Refused("EINVAL")
    domain.features = features
    return wire.OK


def get_quota(engine: Engine, client: Connection, view: View, payload: bytes) -> bytes:
    """GET_QUOTA: all names, a global value, or a domain's value."""
    words = strings(payload)
    if len(words) > 2:
        raise Refused("EINVAL")
    if not words:
        return b" ".join(quota.DEFAULTS) + b"\0"
    quotas = _existing(engine, words[0]).quotas if len(words) == 2 else engine.domains.quotas
    return b"%d\0" % quotas.value(words[-1])


def set_quota(engine: Engine, client: Connection, view: View, payload: bytes) -> bytes:
    """SET_QUOTA: a global value, or a domain's own."""
    words = strings(payload)
    if len(words) not in (2, 3):
        raise Refused("EINVAL")
    quotas = _existing(engine, words[0]).quotas if len(words) == 3 else engine.domains.quotas
    value = plain_number(words[-1]) % (1 << 32)
    if value == _NOT_SET:
        raise Refused("EINVAL")
    quotas.set(words[-2], value)
    return wire.OK


def _guest(engine: Engine, payload: bytes) -> Domain:
    """The introduced domain that a payload names alone; not domain 0."""
    number = domid_of(only_string(payload))
    if not number:
        raise Refused("EINVAL")
    domain = engine.domains.introduced(number)
    if domain is None:
        raise Refused("ENOENT")
    return domain


def _existing(engine: Engine, text: bytes) -> Domain:
    domain = engine.domains.find(domid_of(text))
    if domain is None:
        raise Refused("ENOENT")
    return domain
