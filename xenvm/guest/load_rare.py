"""Settings that few guests have and that are read together: the scheduler's, the bootloader's, the store's features."""

from __future__ import annotations

from xenvm.guest.access import LARGEST
from xenvm.guest.numerals import integer
from xenvm.guest.spec import Bootloader, Scheduling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from xenvm.guest.access import Reader

_U32 = (1 << 32) - 1
_FLAG_RANGE = -LARGEST, LARGEST


def fields(reader: Reader, vcpus: int) -> dict[str, Any]:
    """The fields of GuestSpec that these settings make, for a guest with at most so many vCPUs."""
    found: dict[str, Any] = {"scheduling": _scheduling(reader, vcpus), "bootloader": _bootloader(reader)}
    mask = _feature_mask(reader)
    if mask is not None and mask != _U32:
        found["xenstore_feature_mask"] = mask
    return found


def _scheduling(reader: Reader, vcpus: int) -> Scheduling:
    extratime = reader.number("extratime", *_FLAG_RANGE)
    return Scheduling(
        weight=reader.number("cpu_weight", 1, 65535),
        cap=reader.number("cap", 0, 100 * vcpus),
        period=reader.number("period", 10, LARGEST),
        extratime=None if extratime is None else extratime != 0,
        slice=reader.number("slice", *_FLAG_RANGE),
        latency=reader.number("latency", *_FLAG_RANGE),
    )


def _feature_mask(reader: Reader) -> int | None:
    atom = reader.atom("xenstore_feature_mask")
    mask = integer(atom.text) if atom else None
    if atom is not None and (mask is None or not 0 <= mask <= _U32):
        reader.error("xenstore_feature_mask", f"`xenstore_feature_mask' has 32 bits, unlike `{atom.text}'", atom)
    return mask


def _bootloader(reader: Reader) -> Bootloader | None:
    user, restrict = reader.path("bootloader_user"), reader.number("bootloader_restrict", *_FLAG_RANGE)
    arguments = _arguments(reader)
    program = reader.path("bootloader")
    if program is None:
        return None
    return Bootloader(program, arguments, user, bool(restrict))


def _arguments(reader: Reader) -> tuple[str, ...]:
    if reader.has_list("bootloader_args"):
        return tuple(atom.text for atom in reader.atoms("bootloader_args"))
    return tuple((reader.text("bootloader_args") or "").split())
