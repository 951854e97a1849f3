"""Sets of host CPUs as xl writes and prints them (xl.cfg(5), `cpus`).

``all`` and ``^`` mean something only against the CPUs of a host. A configuration is read before any host is looked
at, so there the widest host that Xen can be built for stands in: Xen drops the bits of CPUs that it does not have, and
``all,^0`` stays right wherever the guest lands.
"""

from __future__ import annotations

from xenvm.errors import ConfigError
from xenvm.guest.numerals import decimal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_CPUS = 4096
"""The most CPUs that a Xen on ARM can be built for (NR_CPUS)."""


def parse_cpus(
    text: str, host_cpus: int | None = None, nodes: Mapping[int, frozenset[int]] | None = None
) -> frozenset[int]:
    """The CPUs that ``0-3,^2,node:1,all`` names, read from left to right; CPUs that the host lacks are dropped.

    Without `host_cpus` the host has MAX_CPUS; without `nodes` all of them are in node 0. ConfigError on bad grammar.
    """
    every = range(MAX_CPUS if host_cpus is None else host_cpus)
    chosen: set[int] = set()
    for word in text.split(","):
        if word:
            wanted, drop = _word(word, every, nodes)
            chosen = chosen - wanted if drop else chosen | wanted
    return frozenset(chosen)


def parse_affinity(
    text: str, host_cpus: int | None = None, nodes: Mapping[int, frozenset[int]] | None = None
) -> frozenset[int] | None:
    """Like `parse_cpus`, but None for all CPUs; a set that ends up empty is a ConfigError, as nothing could run."""
    chosen = parse_cpus(text, host_cpus, nodes)
    if not chosen:
        raise ConfigError(f"the CPU list `{text}' selects no CPU")
    return None if len(chosen) == (MAX_CPUS if host_cpus is None else host_cpus) else chosen


def format_cpus(cpus: frozenset[int] | None, host_cpus: int) -> str:
    """``all``, ``none`` or ``0-3,5``, as ``xl vcpu-list`` prints it for a host of this many CPUs."""
    if cpus is None:
        return "all"
    runs: list[list[int]] = []
    for cpu in sorted(cpu for cpu in cpus if cpu < host_cpus):
        if runs and runs[-1][1] == cpu - 1:
            runs[-1][1] = cpu
        else:
            runs.append([cpu, cpu])
    if runs == [[0, host_cpus - 1]]:
        return "all"
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in runs) or "none"


def _word(word: str, every: range, nodes: Mapping[int, frozenset[int]] | None) -> tuple[set[int], bool]:
    """What one word stands for, and whether it takes away."""
    rest = word.removeprefix("^")
    drop = rest != word
    ids = rest.removeprefix("node:") if rest.startswith("node:") else rest.removeprefix("nodes:")
    if ids == "all":
        if drop:
            raise ConfigError(f"`{word}' is not possible in a CPU list: `^' and `all' cannot be combined")
        return set(every), False
    low, high = _bounds(ids, word)
    if ids == rest:
        return set(every[low : high + 1]), drop
    found: set[int] = set()
    for node, cpus in ({0: frozenset(every)} if nodes is None else nodes).items():
        if low <= node <= high:
            found |= cpus & set(every)
    return found, drop


def _bounds(ids: str, word: str) -> tuple[int, int]:
    first, dash, last = ids.partition("-")
    low = decimal(first)
    high = decimal(last) if dash else low
    if low is None or high is None or high < low:
        raise ConfigError(f"`{word}' is not a CPU, a range of CPUs or a node in a CPU list")
    return low, high
