"""cpupool-create, -destroy, -rename, -cpu-add, -cpu-remove, -migrate: what changes cpupools."""

from __future__ import annotations

from xenvm.cli.run import open_host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.host.open import Host


def create(config: str | None, settings: tuple[str, ...], defconfig: str | None, dry_run: bool) -> None:
    """Makes a cpupool as a configuration, or what stands on the command line, says."""
    from xenvm.guest.cfg import parse
    from xenvm.guest.load import read_file
    from xenvm.ops import cpupools

    words = [word for word in (config, *settings) if word is not None and "=" in word]
    path = config if config is not None and "=" not in config else defconfig
    read = parse(read_file(path) if path else "", path or "command line", words)
    with open_host() as host:
        wanted = cpupools.Wanted(host, read)
        print(f'Using config file "{path or "command line"}"')
        print(f"cpupool name:   {wanted.name}\nscheduler:      {wanted.scheduler}\nnumber of cpus: {len(wanted.cpus)}")
        if not dry_run:
            cpupools.create(host, wanted)


def destroy(pool: str) -> None:
    """Ends a cpupool."""
    from xenvm.ops import cpupools

    with open_host() as host:
        cpupools.destroy(host, cpupools.find(host, pool))


def rename(pool: str, new_name: str) -> None:
    """Gives a cpupool another name."""
    from xenvm.ops import cpupools

    with open_host() as host:
        cpupools.rename(host, cpupools.find(host, pool), new_name)


def cpu_add(pool: str, cpus: str) -> None:
    """Gives a cpupool CPUs that are free."""
    _change(pool, cpus, add=True)


def cpu_remove(pool: str, cpus: str) -> None:
    """Takes CPUs from a cpupool, which are free then."""
    _change(pool, cpus, add=False)


def _change(pool: str, text: str, *, add: bool) -> None:
    from xenvm.errors import DomainError
    from xenvm.ops import cpupools

    with open_host() as host:
        number = cpupools.find(host, pool)
        failed = cpupools.change_cpus(host, number, cpus_of(host, text), add=add)
    for cpu, error in failed.items():
        raise DomainError(f"cpupool {pool}: CPU {cpu}: {error.detail or error}") from error


def cpus_of(host: Host, text: str) -> frozenset[int]:
    """The CPUs of a list such as ``1,3-5`` or ``node:0`` that this host has."""
    from xenvm.guest.cpus import parse_cpus

    return parse_cpus(text, host.hyper.physinfo().max_cpu_id + 1)


def migrate(domain: str, pool: str) -> None:
    """Puts a domain into another cpupool."""
    from xenvm.ops import cpupools, names

    with open_host() as host:
        cpupools.migrate(host, names.find(host, domain).domid, cpupools.find(host, pool))
