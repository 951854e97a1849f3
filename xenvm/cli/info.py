"""info: facts about the host, in xl's words and order."""

from __future__ import annotations

import os

from xenvm.cli.run import open_host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.host.hyper import Hypervisor
    from xenvm.host.open import Host
    from xenvm.host.pools import PoolControl


def info(field: str | None, numa: bool, xenstore: bool, as_json: bool) -> int:
    """Prints all facts, or the value of the first one whose name begins with `field`."""
    with open_host() as host:
        facts = _facts(host.hyper)
        if xenstore:
            last = facts.popitem()
            facts.update(xenstore_features=f"{_features(host):#010x}")
            facts.update([last])
        if numa and field is None and not as_json:
            return _print_with_tables(facts, host.hyper.pools)
    return print_facts(facts, field, as_json)


def _features(host: Host) -> int:
    """The features that the store offers, as bits; none where it is too old to tell, as xl has it."""
    from xenbus.errors import StoreError
    from xenbus.request import GetFeature

    reply = host.store.batch([GetFeature()])[0]
    return 0 if isinstance(reply, StoreError) else int(reply)


def _print_with_tables(facts: dict[str, str], pools: PoolControl) -> int:
    """The tables of CPUs and nodes stand between what concerns the machine and what concerns Xen, as xl has them."""
    lines = [f"{name:<23}: {value}" for name, value in facts.items()]
    at = list(facts).index("xen_major")
    tables = ["cpu_topology           :", "cpu:    core    socket     node"]
    tables += [f"{cpu:3}:{core:8}{socket:9}{node:9}" for cpu, (core, socket, node) in enumerate(pools.topology())]
    tables += ["numa_info              :", "node:    memsize    memfree    distances"]
    for number, node in enumerate(pools.nodes()):
        distances = ",".join(map(str, node.distances))
        tables.append(f"{number:4}:{node.size >> 20:10}{node.free >> 20:11}      {distances:>6}")
    print("\n".join([*lines[:at], *tables, *lines[at:]]))
    return 0


def print_facts(facts: dict[str, str], field: str | None, as_json: bool) -> int:
    """Prints facts as a table, as JSON, or one of them."""
    if as_json:
        import json

        print(json.dumps({"version": 1, "host": facts}, indent=2))
        return 0
    if field is not None:
        value = next((value for name, value in facts.items() if name.startswith(field)), None)
        if value is not None:
            print(value)
        return 0 if value is not None else 1
    print("\n".join(f"{name:<23}: {value}" for name, value in facts.items()))
    return 0


def _facts(hyper: Hypervisor) -> dict[str, str]:
    system, texts, physical = os.uname(), hyper.version_info(), hyper.physinfo()
    version = hyper.version
    return {
        "host": system.nodename,
        "release": system.release,
        "version": system.version,
        "machine": system.machine,
        "nr_cpus": str(physical.nr_cpus),
        "max_cpu_id": str(physical.max_cpu_id),
        "nr_nodes": str(physical.nr_nodes),
        "cores_per_socket": str(physical.cores_per_socket),
        "threads_per_core": str(physical.threads_per_core),
        "cpu_mhz": f"{physical.cpu_khz / 1000:.3f}",
        "hw_caps": ":".join(f"{word:08x}" for word in physical.hw_cap),
        "virt_caps": _virt_caps(physical.capabilities),
        **_sve(hyper.version.release, physical.arch_capabilities),
        "total_memory": str(physical.total_pages // 256),
        "free_memory": str((physical.free_pages - physical.outstanding_pages) // 256),
        "sharing_freed_memory": "0",
        "sharing_used_memory": "0",
        "outstanding_claims": str(physical.outstanding_pages // 256),
        "free_cpus": str(hyper.free_cpus()),
        "xen_major": str(version.major),
        "xen_minor": str(version.minor),
        "xen_extra": version.extra,
        "xen_version": f"{version.major}.{version.minor}{version.extra}",
        "xen_caps": texts.capabilities,
        "xen_scheduler": hyper.scheduler(),
        "xen_pagesize": str(texts.pagesize),
        "platform_params": f"virt_start={texts.virt_start:#x}",
        "xen_changeset": texts.changeset,
        "xen_commandline": texts.commandline,
        "cc_compiler": texts.compiler,
        "cc_compile_by": texts.compile_by,
        "cc_compile_domain": texts.compile_domain,
        "cc_compile_date": texts.compile_date,
        "build_id": texts.build_id,
        "xend_config_format": "4",
    }


def _sve(release: tuple[int, int], arch_capabilities: int) -> dict[str, str]:
    """The vector length in bits, which Xen tells from 4.18 on."""
    return {"arm_sve_vector_length": str((arch_capabilities & 0x1F) * 128)} if release >= (4, 18) else {}


_CAPABILITIES = (
    (0, "hvm"),
    (1, "pv"),
    (2, "hvm_directio"),
    (3, "hap"),
    (4, "shadow"),
    (5, "iommu_hap_pt_share"),
    (6, "vmtrace"),
    (7, "vpmu"),
    (8, "gnttab-v1"),
    (9, "gnttab-v2"),
)


def _virt_caps(capabilities: int) -> str:
    return " ".join(name for bit, name in _CAPABILITIES if capabilities >> bit & 1)
