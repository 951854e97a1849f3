"""What on a host will make a creation fail: the hypervisor, the store, memory, what dead guests left, the machine.

Every check is by itself: whatever one of them finds, the others are made.
"""

from __future__ import annotations

from xenbus.errors import AccessDenied, XenbusError
from xenbus.request import Read
from xenvm.errors import ConfigError, XenvmError
from xenvm.host.plumbing.survey import FAIL, OK, WARN, Finding
from xenvm.types import DOM0

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xenvm.guest.spec import GuestSpec
    from xenvm.host.open import Host
    from xenvm.ops.gc_rules import Finding as Leftover

PACKAGES = {"click": "the command line", "fdt": "device trees of guests", "pyxs": "connections to the store"}
_LITTLE_KIB = 64 * 1024
_DOM0_MEM = "give domain 0 a fixed size on Xen's command line: dom0_mem=1024M,max:1024M"


def examine(host: Host) -> Iterator[Finding]:
    """All findings about a host."""
    yield from packages()
    try:
        host.hyper.version  # noqa: B018  # opens it
    except (XenvmError, OSError) as error:
        yield Finding("hypervisor", FAIL, str(error), _fix_for(error))
    else:
        yield from _guarded("hypervisor", host, _hypervisor)
        yield from _guarded("memory", host, _memory)
    yield from host.plumbing.survey.survey()
    try:
        names = host.store.list("/")
    except (XenbusError, XenvmError) as error:
        yield _no_store(host, error)
    else:
        yield from _guarded("store", host, lambda host: _store(host, names))
        yield from _guarded("guests", host, _guests)


def _guarded(check: str, host: Host, work: Callable[[Host], Iterator[Finding]]) -> Iterator[Finding]:
    """A check that cannot be made is a finding, too."""
    try:
        yield from work(host)
    except (XenvmError, XenbusError, OSError) as error:
        yield Finding(check, FAIL, f"cannot be looked at: {error}")


def packages() -> Iterator[Finding]:
    """The Python packages that are needed at run time."""
    from importlib.util import find_spec

    for name, use in PACKAGES.items():
        if find_spec(name) is None:
            yield Finding("python", FAIL, f"the package {name} is not installed: {use}", f"pip install {name}")
        else:
            yield Finding("python", OK, f"{name} is installed")


def _fix_for(error: BaseException) -> str:
    text = str(error)
    if "not a Xen host" in text:
        return "boot Xen; or `--host sim`, where guests are simulated; or `xenvm lab up`, which boots Xen in QEMU"
    return "be root: sudo xenvm ..." if "must be root" in text else ""


def _hypervisor(host: Host) -> Iterator[Finding]:
    version = host.hyper.version
    yield Finding("hypervisor", OK, f"Xen {version} answers, with {host.hyper.capabilities().strip()}")
    installed = host.plumbing.survey.tool_releases()
    running = f"{version.major}.{version.minor}"
    if installed and running not in installed:
        sentence = f"the Xen tools and daemons of this host are of {', '.join(installed)}, and Xen {running} runs"
        yield Finding("version", FAIL, f"{sentence}: they do not fit", f"install xen-utils-{running}, or boot its Xen")


def _memory(host: Host) -> Iterator[Finding]:
    physical, dom0 = host.hyper.physinfo(), host.hyper.domain(DOM0)
    sentence = f"{physical.free_kib // 1024} MiB are free for guests"
    if physical.free_kib >= _LITTLE_KIB:
        yield Finding("memory", OK, sentence)
    else:
        yield Finding("memory", FAIL, sentence, f"end a guest, or {_DOM0_MEM}")
    if dom0 is not None and dom0.tot_pages * 2 > physical.total_pages:
        owned = dom0.tot_pages * 4 // 1024
        sentence = f"domain 0 has {owned} MiB, more than half of the host's: xenvm never takes memory from it"
        yield Finding("memory", WARN, sentence, _DOM0_MEM)


def _no_store(host: Host, error: Exception) -> Finding:
    if isinstance(error, AccessDenied):
        sentence = "the store refuses to be read: its daemon is of another version than the running Xen"
        return Finding("store", FAIL, sentence, "install the xenstored of the running Xen's release")
    return Finding("store", FAIL, str(error), "start xenstored, and be root")


def _store(host: Host, names: tuple[str, ...]) -> Iterator[Finding]:
    replies = host.store.batch([Read("/local/domain/0/domid"), Read("/local/domain/0/name")])
    if not all(isinstance(reply, bytes) for reply in replies):
        sentence = "/local/domain/0 is not complete: xl finds no domain 0, and refuses to work"
        yield Finding("store", FAIL, sentence, "/usr/lib/xen-*/bin/xen-init-dom0")
        return
    yield Finding("store", OK, f"the store answers, with {', '.join(sorted(names))} at its top")
    if not host.store.list_or_empty("/local/pool"):
        sentence = "/local/pool is not there: xl cannot create guests"
        yield Finding("store", WARN, sentence, "/usr/lib/xen-*/bin/xen-init-dom0")


_CHECKS = {"nodes": "stale nodes", "domain": "guest", "backend": "back end", "loop": "loop device"}
_MOST_OF_A_KIND = 10


def _guests(host: Host) -> Iterator[Finding]:
    """What dead guests have left, and guests that nobody has cleared away: what gc finds at its first look."""
    from xenvm.ops.gc_rules import findings
    from xenvm.ops.gc_scene import scene

    seen = scene(host)
    left = [finding for finding in findings(seen) if finding.kind != "lock"]  # a lock that is free hinders nobody
    named = {finding.id for finding in left}
    for domid, domain in seen.living.items():
        if domain.info.shutdown and not domain.info.dying and domid and f"domain:{domid}" not in named:
            sentence = f"domain {domid} has shut down, and still has its memory and devices"
            yield Finding("guest", WARN, sentence, f"xenvm destroy {domid}")
    for kind in dict.fromkeys(finding.kind for finding in left):
        yield from _of_a_kind(kind, [finding for finding in left if finding.kind == kind])
    if not left:
        yield Finding("guests", OK, f"guests that live: {len(seen.living) - 1}; nothing is left of others")


def _of_a_kind(kind: str, left: list[Leftover]) -> Iterator[Finding]:
    check = _CHECKS.get(kind, kind)
    for finding in left[:_MOST_OF_A_KIND]:
        fix = "`xenvm gc` shows who may map its pages: end that" if kind == "zombie" else finding.remedy
        yield Finding(check, WARN, finding.sentence, fix or "`xenvm gc` tells what can be done")
    if len(left) > _MOST_OF_A_KIND:
        sentence = f"and {len(left) - _MOST_OF_A_KIND} more of the kind {kind}"
        yield Finding(check, WARN, sentence, f"xenvm gc --remove {kind}")


def needs(
    host: Host, path: str, with_defaults: Callable[[GuestSpec], GuestSpec] = lambda spec: spec
) -> Iterator[Finding]:
    """What the guest of a configuration needs besides; nothing is touched. `with_defaults` adds what the host says."""
    from xenvm.guest.load import load_file

    try:
        spec = with_defaults(load_file(path)[0])
    except (ConfigError, XenvmError, OSError) as error:
        yield Finding("configuration", FAIL, str(error))
        return
    found = list(_parts(host, spec))
    yield from found or [Finding("configuration", OK, f"{spec.name} has no disks and no vifs")]
    if all(finding.level == OK for finding in found):
        yield _whole(host, spec)


def _parts(host: Host, spec: GuestSpec) -> Iterator[Finding]:
    health = host.plumbing.health
    for disk in spec.disks:
        trouble = "" if disk.script else health.disk(disk.target, "w" if disk.readwrite else "r", "")
        yield Finding("disk", FAIL if trouble else OK, trouble or f"the disk {disk.vdev}, {disk.target}, can be used")
    for nic in spec.nics:
        trouble = "" if nic.script else health.bridge(nic.bridge or "")
        fix = f"ip link add {nic.bridge or 'xenbr0'} type bridge" if trouble else ""
        yield Finding("vif", FAIL if trouble else OK, trouble or f"the vif {nic.devid} has its bridge", fix)


def _whole(host: Host, spec: GuestSpec) -> Finding:
    """All that `create` checks before it touches anything: the name, shared disks, memory, images, cpupool."""
    from xenvm.guest.blueprint import draw
    from xenvm.ops.create import check_host, facts_of

    try:
        plan = draw(spec, facts_of(host.hyper))
        check_host(host, plan)
    except (XenvmError, XenbusError, OSError) as error:
        return Finding("configuration", FAIL, f"create would refuse it: {error}")
    return Finding("configuration", OK, f"{spec.name} can be created: {plan.need // 1024} MiB, and all that it names")
