"""mem-set, mem-max."""

from __future__ import annotations

from xenvm.cli.run import open_host
from xenvm.ops import names


def mem_set(domain: str, size: str) -> None:
    """Asks a guest to have so much memory."""
    from xenvm.guest.numerals import memory_size
    from xenvm.ops.memory import set_target

    target = memory_size(size)
    with open_host() as host:
        set_target(host, names.find_guest(host, domain), target)


def mem_max(domain: str, size: str) -> None:
    """Sets the most memory that a guest may have."""
    from xenvm.guest.numerals import memory_size
    from xenvm.ops.memory import set_limit

    limit = memory_size(size)
    with open_host() as host:
        set_limit(host, names.find_guest(host, domain), limit)
