"""xl.conf(5): what the host says of all its guests, where their configurations do not. Its language is that of xl.cfg.

Keys that are about xl's own working (`lockfile`, `domid_policy`, ...) are passed over, as are those that nobody knows.
"""

from __future__ import annotations

from xenbus.value import Value
from xenvm.errors import ConfigError
from xenvm.guest.access import Reader
from xenvm.guest.cfg import ConfigErrors, Diagnostic, parse
from xenvm.guest.cpus import format_cpus, parse_cpus
from xenvm.guest.spec import Affinity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.guest.spec import GuestSpec, NicSpec

    Said = tuple[GuestSpec, tuple[str, ...]]
    """A guest, and what of it came from xl.conf, in words."""

_NIC = {"script": "vifscript", "bridge": "defaultbridge", "backend": "", "gatewaydev": ""}
"""Fields of a vif, which are keys below ``vif.default.``, and the older names of these."""
_FRAMES = ("max_grant_frames", "max_maptrack_frames")
_MASKS = ("vm.cpumask", "vm.hvm.cpumask")
"""xl takes the second one for all guests that are not paravirtualised, which on ARM are all."""
_WITHOUT_EFFECT = (
    ("autoballoon", ("on", "1"), "xenvm never takes memory from domain 0: give Xen dom0_mem=..."),
    ("run_hotplug_scripts", ("0",), "xenvm plugs devices in by itself, and leaves none of it to udev"),
    ("output_format", ("sxp",), "xenvm prints JSON only"),
)


class HostConf(Value):
    """What a host's xl.conf says; None: nothing."""

    source: str
    nic: tuple[tuple[str, str], ...] = ()
    """Fields of vifs, and what they are unless a vif has them."""
    frames: tuple[tuple[str, int], ...] = ()
    """max_grant_frames and max_maptrack_frames, likewise."""
    claim: bool | None = None
    cpus: frozenset[int] | None = None
    """The CPUs that guests may use at all."""
    warnings: tuple[Diagnostic, ...] = ()


def parse_conf(data: bytes, source: str) -> HostConf:
    """What a file says; ConfigErrors with everything that is wrong, each with its place."""
    reader = Reader(parse(data, source))
    nic = {field: reader.path(f"vif.default.{field}") or (old and reader.path(old)) for field, old in _NIC.items()}
    frames = {key: reader.number(key) for key in _FRAMES}
    claim, masks = reader.number("claim_mode", 0, 1), [_mask(reader, key) for key in _MASKS]
    for key, values, reason in _WITHOUT_EFFECT:
        if (reader.text(key) or "").lower() in values:
            reader.warn(key, f"`{key}' has no effect: {reason}", rule="XV012")
    if any(finding.severity == "error" for finding in reader.found):
        raise ConfigErrors(reader.found)
    known = [mask for mask in masks if mask is not None]
    return HostConf(
        source,
        tuple((field, text) for field, text in nic.items() if text),
        tuple((key, number) for key, number in frames.items() if number is not None),
        None if claim is None else bool(claim),
        frozenset.intersection(*known) if known else None,
        tuple(reader.found),
    )


def _mask(reader: Reader, key: str) -> frozenset[int] | None:
    atom = reader.atom(key)
    if atom is None:
        return None
    try:
        return parse_cpus(atom.text)
    except ConfigError as error:
        reader.error(key, f"`{key}': {error.reason}", atom)
        return None


def with_defaults(spec: GuestSpec, conf: HostConf) -> Said:
    """The guest with what it leaves to the host; ConfigError if that leaves it no CPU."""
    said: list[str] = []
    nics = []
    for nic in spec.nics:
        nics.append(nic_with_defaults(nic, conf))
        said += [f"{key}={new} of vif {nic.devid}" for key, old, new in _changes(nic, nics[-1]) if new != old]
    more = {key: number for key, number in conf.frames if getattr(spec, key) < 0}
    said += [f"{key}={number}" for key, number in more.items()]
    spec = spec.replace(nics=tuple(nics), **more)
    if conf.claim is not None and conf.claim != spec.claim and "claim" not in (spec.places or {}):
        spec = spec.replace(claim=conf.claim)
        said.append(f"claim={int(conf.claim)}")
    if conf.cpus is not None:
        spec = spec.replace(affinity=_masked(spec, conf, conf.cpus))
        said.append(f"no CPUs but {format_cpus(conf.cpus, 4096)}")
    return spec, tuple(said)


def nic_with_defaults(nic: NicSpec, conf: HostConf) -> NicSpec:
    """A vif with what it leaves to the host; a back end of 0 is none that was named."""
    fields = {field: text for field, text in conf.nic if getattr(nic, field) in (None, "0")}
    if fields.get("script") == "vif-bridge":
        del fields["script"]  # which is what a vif has anyway
    return nic.replace(**fields)


def _changes(before: NicSpec, after: NicSpec) -> list[tuple[str, object, object]]:
    return [(field, getattr(before, field), getattr(after, field)) for field in _NIC]


def _masked(spec: GuestSpec, conf: HostConf, cpus: frozenset[int]) -> Affinity:
    """The vCPUs bound to these CPUs, each within what it was bound to."""
    sets = (*spec.affinity.hard, *(None for _ in range(spec.maxvcpus - len(spec.affinity.hard))))
    hard = tuple(cpus if bound is None else bound & cpus for bound in sets)
    if not all(hard):
        raise ConfigError("`vm.cpumask' leaves none of the CPUs that the guest's `cpus' names", source=conf.source)
    return Affinity(hard, spec.affinity.soft)
