"""Cpupools by name, as the store has them below /local/pool."""

from __future__ import annotations

from xenbus.request import Read
from xenvm.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.guest.spec import GuestSpec
    from xenvm.host.open import Host


def pool_number(host: Host, spec: GuestSpec) -> int:
    """The cpupool that a guest wants, by name or number; 0 if it wants none. ConfigError: there is no such pool."""
    if spec.pool is None:
        return 0
    numbers = sorted(host.hyper.cpupools())
    replies = host.store.batch([Read(f"/local/pool/{number}/name") for number in numbers])
    names = [reply.decode("utf-8", "replace") if isinstance(reply, bytes) else "" for reply in replies]
    for number, name in zip(numbers, names, strict=True):
        if spec.pool in (name, str(number)):
            return number
    line, column = (spec.places or {}).get("pool", (0, 0))
    known = ", ".join(name for name in names if name)
    raise ConfigError(
        f"there is no cpupool {spec.pool!r} on this host, only {known}", source=spec.source, line=line, column=column
    )
