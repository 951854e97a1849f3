"""CONTROL: commands to the server itself, as ``xenstore-control`` sends them."""

from __future__ import annotations

from xenbus import wire
from xenbus.server import quota
from xenbus.server.arguments import Refused, plain_number, strings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from xenbus.server.connection import Connection
    from xenbus.server.engine import Engine
    from xenbus.server.view import View

    Command = Callable[[Engine, list[bytes]], bytes]


def control(engine: Engine, client: Connection, view: View, payload: bytes) -> bytes:
    """Does a command with its arguments."""
    words = strings(payload)
    command = _COMMANDS.get(words[0] if words else b"")
    if command is None:
        raise Refused("EINVAL")
    return command[0](engine, words[1:])


def _check(engine: Engine, words: list[bytes]) -> bytes:
    _at_most(words, 0)
    return wire.OK


def _help(engine: Engine, words: list[bytes]) -> bytes:
    _at_most(words, 0)
    return _text(f"{name.decode():<15} {usage}" for name, (_command, usage) in _COMMANDS.items())


def _log(engine: Engine, words: list[bytes]) -> bytes:
    """Requests are told to `on_request` or not."""
    _at_most(words, 1)
    if not words:
        return _text(["Log switch settings:", f"{'io':<8}: {'on' if engine.log else 'off'}"])
    if words[0] not in (b"on", b"off", b"+io", b"-io"):
        raise Refused("EINVAL")
    engine.log = words[0] in (b"on", b"+io")
    return wire.OK


def _print(engine: Engine, words: list[bytes]) -> bytes:
    if len(words) != 1:
        raise Refused("EINVAL")
    if engine.on_print:
        engine.on_print(words[0].decode("utf-8", "backslashreplace"))
    return wire.OK


def _quota(engine: Engine, words: list[bytes]) -> bytes:
    if not words:
        return _values(engine, [name for name in quota.DEFAULTS if not name.startswith(quota.SOFT)], b"")
    if words[0] == b"set":
        return _set(engine, words[1:], b"")
    _at_most(words, 1)
    return _use(engine, plain_number(words[0]))


def _soft_quota(engine: Engine, words: list[bytes]) -> bytes:
    if not words:
        return _values(engine, [quota.MEMORY], quota.SOFT)
    if words[0] != b"set":
        raise Refused("EINVAL")
    return _set(engine, words[1:], quota.SOFT)


def _values(engine: Engine, names: list[bytes], prefix: bytes) -> bytes:
    quotas = engine.domains.quotas
    lines = [f"{name.decode():<17}: {quotas.value(prefix + name):8} {quota.MEANINGS[name]}" for name in names]
    return _text(["Quota settings:", *lines])


def _set(engine: Engine, words: list[bytes], prefix: bytes) -> bytes:
    if len(words) != 2 or plain_number(words[1]) < 1:
        raise Refused("EINVAL")
    engine.domains.quotas.set(prefix + words[0], plain_number(words[1]))
    return wire.OK


def _use(engine: Engine, domid: int) -> bytes:
    """What a domain uses."""
    domain = engine.domains.get(domid)
    if domain is None:
        raise Refused("ENOENT")
    usage = domain.usage if domid else engine.tree.usage_of_domain_0()
    counts = {
        quota.NODES: usage.nodes,
        quota.WATCHES: domain.watches,
        quota.OUTSTANDING: domain.outstanding,
        quota.MEMORY: usage.memory + domain.buffers,
        quota.TRANSACTIONS: domain.transactions,
    }
    return _text([f"Domain {domid}:", *(f"{name.decode():<17}: {count:8}" for name, count in counts.items())])


def _at_most(words: list[bytes], count: int) -> None:
    if len(words) > count:
        raise Refused("EINVAL")


def _text(lines: Iterable[str]) -> bytes:
    return "".join(line + "\n" for line in lines).encode() + b"\0"


_COMMANDS: dict[bytes, tuple[Command, str]] = {
    b"check": (_check, ""),
    b"log": (_log, "[on|off|+io|-io]"),
    b"print": (_print, "<string>"),
    b"quota": (_quota, "[set <name> <val>|<domid>]"),
    b"quota-soft": (_soft_quota, "[set <name> <val>]"),
    b"help": (_help, ""),
}
