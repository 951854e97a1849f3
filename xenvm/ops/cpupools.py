"""Cpupools while the host runs: made, ended, renamed, given CPUs and domains; their names are in the store, as libxl
keeps them below /local/pool."""

from __future__ import annotations

from xenbus.request import Read, Remove, Write
from xenvm.errors import ConfigError, DomainError, DomainExists, HypercallError, NoSuchPool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from xenvm.guest.cfg import Config
    from xenvm.host.open import Host
    from xenvm.types import Domid

SCHEDULERS = ("credit", "credit2", "arinc653", "rtds", "null")


def names(host: Host, pools: Iterable[int]) -> dict[int, str]:
    """The name of each cpupool, in one round trip; that of its number where the store has none."""
    numbers = sorted(pools)
    replies = host.store.batch([Read(f"/local/pool/{number}/name") for number in numbers])
    return {
        number: reply.decode("utf-8", "replace") if isinstance(reply, bytes) else f"Pool-{number}"
        for number, reply in zip(numbers, replies, strict=True)
    }


def find(host: Host, who: str) -> int:
    """The number of a cpupool by its name or number, as with xl: all digits are a number. NoSuchPool."""
    known = names(host, host.hyper.cpupools())
    for number, name in known.items():
        if who == (str(number) if who.isascii() and who.isdecimal() else name):
            return number
    raise NoSuchPool(who)


def free(host: Host) -> frozenset[int]:
    """The CPUs that are in no cpupool."""
    return frozenset(range(host.hyper.physinfo().nr_cpus)).difference(*host.hyper.cpupools().values())


class Wanted:
    """A cpupool to make, as xlcpupool.cfg(5) describes it: `name`, `sched`, and `cpus` or `nodes`."""

    def __init__(self, host: Host, config: Config) -> None:
        """ConfigError, DomainExists, DomainError: CPUs that are not free."""
        from xenvm.guest.access import Reader
        from xenvm.guest.cfg import ConfigErrors

        reader = Reader(config)
        self.name = reader.text("name") or ""
        _check_name(host, self.name)
        self.scheduler = (reader.text("sched") or host.hyper.scheduler()).lower()
        if self.scheduler not in SCHEDULERS:
            reader.error("sched", f"there is no scheduler `{self.scheduler}', only {', '.join(SCHEDULERS)}")
        words = [atom.text for atom in reader.atoms("cpus")] if reader.has_list("cpus") else [reader.text("cpus") or ""]
        nodes = [f"node:{atom.text}" for atom in reader.atoms("nodes")]
        for key in config.settings.keys() - {"name", "sched", "cpus", "nodes"}:
            reader.error(key, f"a cpupool has no `{key}', only name, sched, cpus and nodes")
        if any(finding.severity == "error" for finding in reader.found):
            raise ConfigErrors(reader.found)
        self.cpus = self._cpus(host, ",".join(words), ",".join(nodes))

    def _cpus(self, host: Host, words: str, nodes: str) -> frozenset[int]:
        from xenvm.guest.cpus import parse_cpus

        there, vacant = host.hyper.physinfo().nr_cpus, free(host)
        wanted = parse_cpus(words, there)
        for cpu in sorted(wanted - vacant):
            raise DomainError(f"CPU {cpu} is not free: it belongs to a cpupool")
        if nodes and not (vacant & parse_cpus(nodes, there)):
            raise DomainError("none of these nodes has a CPU that is free")
        return wanted | (vacant & parse_cpus(nodes, there))


def _check_name(host: Host, name: str) -> None:
    if not name:
        raise ConfigError("a cpupool needs a name", source="command line")
    if "/" in name or not name.isprintable() or (name.isascii() and name.isdecimal()):
        raise ConfigError(f"{name!r} is no name for a cpupool: it cannot hold a slash, or be a number")
    if name in names(host, host.hyper.cpupools()).values():
        raise DomainExists(f"there is a cpupool {name} already")


def create(host: Host, wanted: Wanted) -> int:
    """Makes a cpupool with its CPUs and name; its number. What fails leaves nothing behind."""
    from xenvm.guest.blueprint import random_uuid

    number = host.hyper.pools.create_pool(wanted.scheduler)
    given: list[int] = []
    try:
        for cpu in sorted(wanted.cpus):
            host.hyper.pools.add_cpu(number, cpu)
            given.append(cpu)
        path = f"/local/pool/{number}"
        nodes = [Write(f"{path}/uuid", random_uuid()), Write(f"{path}/name", wanted.name)]
        host.store.transact(lambda _: nodes)
    except BaseException:
        for cpu in given:
            host.hyper.pools.remove_cpu(number, cpu)
        host.hyper.pools.destroy_pool(number)
        raise
    return number


def destroy(host: Host, number: int) -> None:
    """Ends a cpupool that has no domains: its CPUs are free then. HypercallError: it has some."""
    if any(info.cpupool == number for info in host.hyper.domains()) or not number:
        host.hyper.pools.destroy_pool(number)  # which Xen refuses, and says why
    for cpu in sorted(host.hyper.cpupools().get(number, ())):
        host.hyper.pools.remove_cpu(number, cpu)
    host.hyper.pools.destroy_pool(number)
    host.store.transact(lambda _: [Remove(f"/local/pool/{number}")])


def rename(host: Host, number: int, name: str) -> None:
    """Gives a cpupool another name, which no other has."""
    _check_name(host, name)
    host.store.transact(lambda _: [Write(f"/local/pool/{number}/name", name)])


def change_cpus(host: Host, number: int, cpus: frozenset[int], *, add: bool) -> dict[int, HypercallError]:
    """Gives a cpupool CPUs, or takes them; what Xen said of those with which it did not work."""
    change = host.hyper.pools.add_cpu if add else host.hyper.pools.remove_cpu
    failed = {}
    for cpu in sorted(cpus):
        try:
            change(number, cpu)
        except HypercallError as error:
            failed[cpu] = error
    return failed


def migrate(host: Host, domid: Domid, number: int) -> None:
    """Puts a domain into another cpupool, where its scheduling and its vCPUs' affinities are the defaults."""
    host.hyper.pools.move(domid, number)
