"""dtb: the device tree of a configuration, on any machine."""

from __future__ import annotations

import os
import sys

from xenvm.cli.run import say
from xenvm.errors import ConfigError
from xenvm.guest import dtb as trees
from xenvm.guest import image
from xenvm.guest.load import load_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.guest.spec import GuestSpec

_ASSUMED_KERNEL = 32 << 20
"""Size of a kernel that is not here: that of a distribution's."""
_ASSUMED_RAMDISK = 8 << 20


def dtb(
    config: str,
    settings: tuple[str, ...],
    output: str | None,
    dts: bool,
    xen: str,
    gic: str,
    gpaddr_bits: int,
    clock_frequency: int,
    bits: int,
) -> int:
    """Writes the tree as a blob, or as source text."""
    spec, diagnostics = load_file(config, settings)
    for diagnostic in diagnostics:
        say(str(diagnostic))
    facts = trees.TreeFacts(told_release(xen), told_gic(gic, spec), clock_frequency, gpaddr_bits)
    blob = trees.offline_tree(spec, facts, told_kernel(spec, bits), told_ramdisk_size(spec))
    if dts:
        from xenvm.guest.fdtblob import to_dts

        blob = to_dts(blob).encode("utf-8", "surrogateescape")
    _write(blob, output)
    return 0


def told_release(text: str) -> tuple[int, int]:
    """What --xen says; ConfigError."""
    major, _, minor = text.partition(".")
    if not (major.isdecimal() and minor.isdecimal()):
        raise ConfigError(f"{text!r} is no version of Xen: give one like 4.20", source="--xen")
    release = int(major), int(minor)
    if not (4, 14) <= release <= (4, 22):
        raise ConfigError(f"the trees of Xen {text} are not known: give 4.14 to 4.22", source="--xen")
    return release


def told_gic(text: str, spec: GuestSpec) -> int:
    """What --gic says, unless the guest wants one of the two; ConfigError."""
    versions = {"v2": 2, "v3": 3, "2": 2, "3": 3}
    if text not in versions:
        raise ConfigError(f"{text!r} is no interrupt controller: there are v2 and v3", source="--gic")
    version = versions.get(spec.gic_version, versions[text])
    if version == 2 and spec.maxvcpus > 8:
        raise ConfigError(f"{spec.maxvcpus} vCPUs are too many: a GICv2 has at most 8", source=spec.source)
    return version


def told_kernel(spec: GuestSpec, bits: int) -> image.Kernel:
    """The guest's kernel, or a stand-in where its file is not on this machine."""
    if os.path.exists(spec.kernel):
        return image.open_kernel(spec.kernel)
    if bits not in (32, 64):
        raise ConfigError(f"a guest has 32 or 64 bits, not {bits}", source="--bits")
    say(f"{spec.kernel} is not here: taken for a {bits}-bit kernel of 32 MiB")
    return image.assumed_kernel(spec.kernel, bits, _ASSUMED_KERNEL)


def told_ramdisk_size(spec: GuestSpec) -> int | None:
    """What to take for the ramdisk's size; None where its file is here, or there is none."""
    if spec.ramdisk is None or os.path.exists(spec.ramdisk):
        return None
    say(f"{spec.ramdisk} is not here: taken for 8 MiB")
    return _ASSUMED_RAMDISK


def _write(data: bytes, output: str | None) -> None:
    if output is None or output == "-":
        sys.stdout.buffer.write(data)
        return
    try:
        with open(output, "wb") as file:
            file.write(data)
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", source=output) from error
