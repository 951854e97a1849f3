"""Checks of what not every Xen or host has, before anything is touched: SVE, TEE, SCMI, vPMU, cache colors, virtio."""

from __future__ import annotations

from xenvm.errors import ConfigError, UnsupportedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from xenvm.guest.blueprint import HostFacts
    from xenvm.guest.classes import P9Spec
    from xenvm.guest.spec import GuestSpec

    Wish = tuple[bool, str, tuple[int, int], str]


def check_special(spec: GuestSpec, facts: HostFacts, bits: int) -> None:
    """Refuses, by UnsupportedError or ConfigError, what this Xen or a guest of this width cannot have."""
    for wanted, key, since, what in _wishes(spec):
        if wanted and facts.release < since:
            have, need = (".".join(map(str, release)) for release in (facts.release, since))
            raise UnsupportedError(f"{_where(spec, key)}: `{key}' is not possible: {what} Xen {need}, this is {have}")
    if spec.sve and bits == 32:
        raise UnsupportedError(f"{_where(spec, 'sve')}: `sve' is not possible: a 32-bit guest has no such vectors")
    if spec.sve and facts.sve_bits is not None and max(spec.sve, 128) > facts.sve_bits:
        have = f"vectors of {facts.sve_bits} bits at most" if facts.sve_bits else "no SVE"
        raise UnsupportedError(f"{_where(spec, 'sve')}: `sve' is not possible: this host has {have} for guests")
    if spec.vpmu and facts.vpmu is False:
        raise UnsupportedError(f"{_where(spec, 'vpmu')}: `vpmu' is not possible: this Xen was started without vpmu")
    check_itself(spec)


def check_itself(spec: GuestSpec) -> None:
    """Refuses what cannot be on any host; ConfigError."""
    if spec.init_seclabel is not None and spec.seclabel is None:
        line, column = (spec.places or {}).get("init_seclabel", (0, 0))
        reason = "`init_seclabel' needs `seclabel', the label of the guest when it is built"
        raise ConfigError(reason, source=spec.source, line=line, column=column)
    check_folders(spec)


def check_folders(spec: GuestSpec) -> None:
    """Refuses shared folders that no back end could serve, whatever the host; ConfigError."""
    line, column = (spec.places or {}).get("p9", (0, 0))
    for p9 in spec.p9s:
        if reason := folder_reason(p9):
            raise ConfigError(f"`p9': {reason}", source=spec.source, line=line, column=column)


def folder_reason(p9: P9Spec) -> str:
    """Why a folder cannot be shared; empty: it can, as far as that can be told without the host."""
    if p9.type == "qemu" and p9.backend != "0":
        return ""  # What serves it in another domain has rules of its own.
    server, models = _SERVERS[p9.type]
    if not p9.tag:
        return "it has no tag"
    if p9.security_model not in models:
        have = " and ".join(models)
        return f"security_model={p9.security_model} is not possible: {server} has {have} only"
    if not p9.path.startswith("/") or p9.path.endswith("/") or "//" in p9.path:
        return f"path={p9.path} is not possible: {server} takes absolute paths only, not /, and no empty parts"
    return ""


_SERVERS = {"qemu": ("xenvm's server", ("none", "passthrough")), "xen_9pfsd": ("xen-9pfsd", ("none",))}
"""Who serves a folder of each type, and which security models it has."""


def _wishes(spec: GuestSpec) -> Iterator[Wish]:
    """Whether it is wanted, its key, the first Xen that has it, and how to say so."""
    yield spec.sve != 0, "sve", (4, 18), "SVE came with"
    yield spec.tee == "ffa", "tee", (4, 18), "FF-A came with"
    yield spec.arm_sci != "none", "arm_sci", (4, 21), "SCMI came with"
    yield spec.vpmu, "vpmu", (4, 16), "performance counters came with"
    yield not spec.trap_unmapped_accesses, "trap_unmapped_accesses", (4, 21), "it can be 0 from"
    yield bool(spec.llc_colors), "llc_colors", (4, 20), "cache coloring came with"
    yield bool(spec.virtios), "virtio", (4, 18), "virtio devices came with"


def _where(spec: GuestSpec, key: str) -> str:
    line, column = (spec.places or {}).get(key, (0, 0))
    return ":".join([spec.source or "config", *(str(number) for number in (line, column) if number)])
