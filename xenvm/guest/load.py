"""From an xl.cfg file and KEY=VALUE arguments to a GuestSpec: known and unknown keys, and checks across settings."""

from __future__ import annotations

from xenvm.errors import ConfigError
from xenvm.guest.access import Reader
from xenvm.guest.cfg import Config, ConfigErrors, Diagnostic, parse
from xenvm.guest.convert import convert
from xenvm.guest.settings import asks_for_nothing, find, suggest
from xenvm.guest.spec import Affinity, GuestSpec
from xenvm.types import NAME_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from xenvm.guest.cfg import Atom

    CpuSets = tuple[frozenset[int] | None, ...]

_RARE = (
    *("cpu_weight", "cap", "period", "extratime", "slice", "latency", "xenstore_feature_mask"),
    *("bootloader", "bootloader_args", "bootloader_user", "bootloader_restrict"),
)
_MAX_FILE = 1 << 20
_MAX_VCPUS = 128
_MAX_MEMORY = 1 << 30
"""MiB; what a guest's address space really holds is for the memory layout to say."""


def load_file(
    path: str, overrides: Iterable[str] = (), *, strict: bool = True
) -> tuple[GuestSpec, tuple[Diagnostic, ...]]:
    """The guest that a file describes ("-": standard input), and warnings; see `load_text`."""
    return load_text(read_file(path), path, overrides, strict=strict)


def load_text(
    data: bytes | str, source: str = "", overrides: Iterable[str] = (), *, strict: bool = True
) -> tuple[GuestSpec, tuple[Diagnostic, ...]]:
    """The guest that a configuration describes, and warnings. Raises ConfigErrors with everything that is wrong.

    `overrides` are further assignments, which win. What xl reports and then ignores is an error unless `strict` is
    False, where the setting is left out as xl leaves it out.
    """
    spec, found = _load(parse(data, source, overrides), strict)
    if spec is None:
        raise ConfigErrors(found)
    return spec, found


def examine(data: bytes | str, source: str = "") -> tuple[GuestSpec | None, tuple[Diagnostic, ...]]:
    """The guest, or None if there are errors, and all errors and warnings by their places; never raises."""
    try:
        return _load(parse(data, source), strict=True)
    except ConfigErrors as errors:
        return None, errors.diagnostics


def read_file(path: str) -> bytes:
    """The contents of a configuration file; ConfigError that names it if it cannot be read."""
    try:
        with open(0 if path == "-" else path, "rb", closefd=path != "-") as file:
            data = file.read(_MAX_FILE + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"cannot read the configuration: {reason}", source=path) from None
    if len(data) > _MAX_FILE:
        raise ConfigError(f"the configuration is longer than {_MAX_FILE} bytes", source=path)
    return data


def _load(config: Config, strict: bool) -> tuple[GuestSpec | None, tuple[Diagnostic, ...]]:
    reader = Reader(config, strict)
    fields = _fields(reader)
    found = tuple(sorted(reader.found, key=_order(config)))
    if any(finding.severity == "error" for finding in found):
        return None, found
    return GuestSpec(**fields, source=config.source, places=reader.places()), found


def _order(config: Config) -> Any:
    # The file's findings by place, then the command line's, then what is missing and so has no place.
    return lambda finding: (finding.line == 0, finding.source != config.source, finding.line, finding.column)


def _fields(reader: Reader) -> dict[str, Any]:
    _check_type(reader)
    fields: dict[str, Any] = {"name": _name(reader), "kernel": _kernel(reader), "cmdline": _cmdline(reader)}
    fields["memory"], fields["maxmem"] = _memory(reader)
    fields["vcpus"], fields["maxvcpus"] = _vcpus(reader)
    fields["affinity"] = Affinity(
        hard=_cpu_sets(reader, "cpus", fields["maxvcpus"]), soft=_cpu_sets(reader, "cpus_soft", fields["maxvcpus"])
    )
    if any(key in reader.config.settings for key in _RARE):
        from xenvm.guest import load_rare

        fields.update(load_rare.fields(reader, fields["maxvcpus"]))
    for key in reader.config.settings:
        field, value = _setting(reader, key)
        if value is not None:
            fields[field] = value
    return fields


def _setting(reader: Reader, key: str) -> tuple[str, Any]:
    """The field and value of a setting that is read on its own; ("", None) for any other."""
    row = find(key)
    if row is None:
        near = suggest(key)
        reason = f"unknown setting `{key}' is ignored" + (f"; is it `{near}'?" if near else "")
        reader.warn(key, reason, reader.config.settings[key], rule="XV010")
    elif row.field:
        return row.field, convert(reader, row)
    elif row.kind in ("warn", "err") and not asks_for_nothing(row, reader.config.settings[key].value):
        if row.kind == "warn":
            reader.warn(key, f"`{key}' is ignored: {row.reason}", rule="XV012")
        else:
            reader.error(key, f"`{key}' is not possible: {row.reason}", rule="XV013")
    return "", None


def _name(reader: Reader) -> str:
    name = reader.text("name") or ""
    if not name:
        reader.error("name", "`name' is missing: every guest needs one", rule="XV060")
    if "/" in name or any(ord(char) < 32 or ord(char) == 127 for char in name):
        reader.error("name", "`name' cannot hold a slash or a control character")
    if len(name.encode("utf-8", "surrogateescape")) > NAME_BYTES:
        reader.error("name", f"`name' is longer than {NAME_BYTES} bytes: no log could have it in its name")
    if name.isascii() and name.isdigit():
        reader.warn("name", f"`name' {name} is a number, which commands will take for a domid", rule="XV061")
    return name


def _kernel(reader: Reader) -> str:
    kernel = reader.path("kernel") or ""
    if not kernel and not reader.path("bootloader"):
        reader.error("kernel", "`kernel' is missing: the path of the kernel image in the host", rule="XV060")
    return kernel


def _check_type(reader: Reader) -> None:
    # xl takes any beginning of a name, even none, and tries hvm first.
    kind, builder = reader.text("type"), reader.text("builder")
    if kind is not None and "hvm".startswith(kind):
        reader.error("type", "`type' cannot be hvm on ARM, where all guests are pvh")
    elif kind is not None and "pv".startswith(kind):
        reader.warn("type", "`type' pv is the same as pvh on ARM")
    elif kind is not None and not "pvh".startswith(kind):
        reader.error("type", f"`type' must be pvh, not `{kind}'")
    if builder is not None and "hvm".startswith(builder):
        reader.error("builder", "`builder' cannot be hvm on ARM, where all guests are pvh")
    elif builder is not None and "generic".startswith(builder):
        reader.warn("builder", "`builder' is deprecated, and ARM has one type of guest")
    elif builder is not None:
        reader.error("builder", f"`builder' must be generic, not `{builder}'")


def _cmdline(reader: Reader) -> str:
    cmdline, root, extra = reader.text("cmdline"), reader.text("root"), reader.text("extra")
    if cmdline is not None:
        for key, other in (("root", root), ("extra", extra)):
            if other is not None:
                reader.warn(key, f"`{key}' is ignored in favour of `cmdline'", rule="XV014")
        return cmdline
    parts = ([] if root is None else [f"root={root}"]) + ([] if extra is None else [extra])
    return " ".join(parts)


def _memory(reader: Reader) -> tuple[int, int]:
    """KiB at the start and at most."""
    memory, most = reader.number("memory", 1, _MAX_MEMORY), reader.number("maxmem", 1, _MAX_MEMORY)
    at_start = memory or most or 32
    if most is not None and at_start > most:
        reader.error("memory", f"`memory' ({at_start} MiB) is more than `maxmem' ({most} MiB)", rule="XV024")
    return at_start * 1024, (most or at_start) * 1024


def _vcpus(reader: Reader) -> tuple[int, int]:
    vcpus = reader.number("vcpus", 1, _MAX_VCPUS) or 1
    most = reader.number("maxvcpus", 0, _MAX_VCPUS) or vcpus
    if most < vcpus:
        reader.error("maxvcpus", f"`maxvcpus' ({most}) is less than `vcpus' ({vcpus})", rule="XV024")
    return vcpus, most


def _cpu_sets(reader: Reader, key: str, vcpus: int) -> CpuSets:
    """For each vCPU the host CPUs, None where all; empty if no vCPU is bound at all."""
    if not reader.has_list(key):
        return _bound([_cpu_set(reader, key, reader.atom(key))] * vcpus)
    atoms = reader.atoms(key)
    if len(atoms) > vcpus:
        extra = f"`{key}' has {len(atoms)} elements for {vcpus} vCPUs; the others are ignored"
        reader.warn(key, extra, rule="XV027")
    sets = [_cpu_set(reader, key, atom) for atom in atoms[:vcpus]]
    return _bound(sets + [None] * (vcpus - len(sets)))


def _bound(sets: list[frozenset[int] | None]) -> CpuSets:
    return () if all(cpus is None for cpus in sets) else tuple(sets)


def _cpu_set(reader: Reader, key: str, atom: Atom | None) -> frozenset[int] | None:
    if atom is None:
        return None
    from xenvm.guest.cpus import parse_affinity

    try:
        return parse_affinity(atom.text)
    except ConfigError as error:
        reader.fail(key, error, atom)
        return None
