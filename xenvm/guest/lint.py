"""What is wrong, or likely to be wrong, with configurations: each by itself, its files, and all of them together.

No host is asked. The findings have rules, see :mod:`xenvm.guest.rules`.
"""

from __future__ import annotations

from xenbus.value import Value
from xenvm.errors import ConfigError
from xenvm.guest.cfg import Diagnostic
from xenvm.guest.disk import linux_place
from xenvm.guest.layout import spis_for
from xenvm.guest.load import examine, read_file
from xenvm.guest.special import check_itself

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from xenvm.guest.spec import DiskSpec, GuestSpec

_LONGEST_NAME = 15
"""Letters of an interface's name in Linux."""
_GICV2_VCPUS = 8
_NEWEST = (4, 22)


class Checked(Value):
    """One file: the guest, if it has no errors, and the findings in their order."""

    path: str
    spec: GuestSpec | None
    findings: tuple[Diagnostic, ...]


def check_files(paths: Iterable[str], *, look_at_files: bool = True) -> tuple[Checked, ...]:
    """Checks all files, one by one and against each other; never raises.

    `look_at_files`: whether kernels, ramdisks and disks are looked at, as the host that is meant would have them.
    """
    texts: list[tuple[str, bytes | None, str]] = []
    for path in paths:
        try:
            texts.append((path, read_file(path), ""))
        except ConfigError as error:
            texts.append((path, None, error.reason))
    return check_texts(texts, look_at_files=look_at_files)


def check_texts(texts: Iterable[tuple[str, bytes | None, str]], *, look_at_files: bool = False) -> tuple[Checked, ...]:
    """The same for contents: name, text (None: unreadable) and why it could not be read."""
    checked = [_check(name, text, trouble, look_at_files) for name, text, trouble in texts]
    return tuple(_across(checked))


def _check(path: str, text: bytes | None, trouble: str, look_at_files: bool) -> Checked:
    if text is None:
        return Checked(path, None, (Diagnostic("error", trouble, path, rule="XV000"),))
    spec, found = examine(text, path)
    if spec is None:
        return Checked(path, None, tuple(_once(found)))
    more = [*_devices(spec), *_guest(spec)]
    if look_at_files:
        from xenvm.guest.lint_files import file_findings

        more += file_findings(spec)
    return Checked(path, spec, _sorted([*found, *more]))


def _once(found: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    """Wrong line ends are in every line: the first finding says it."""
    told = False
    for one in found:
        if one.rule != "XV002" or not told:
            yield one
        told |= one.rule == "XV002"


def _sorted(found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    return tuple(sorted(found, key=lambda one: (one.line == 0, one.line, one.column)))


def finding(
    spec: GuestSpec, rule: str, message: str, key: str, *, error: bool = False, at: object = None
) -> Diagnostic:
    """One finding, at the setting `key` or at a device."""
    line, column = (spec.places or {}).get(key, (0, 0))
    line, column = getattr(at, "line", 0) or line, getattr(at, "column", 0) or column
    return Diagnostic("error" if error else "warning", message, spec.source, line, column, key, rule)


def _devices(spec: GuestSpec) -> Iterator[Diagnostic]:
    from xenvm.guest.blueprint import check_disk

    for disk in spec.disks:
        try:
            check_disk(disk)
        except ConfigError as error:
            yield finding(spec, "XV030", error.reason, "disk", error=True, at=disk)
        other = next((one for one in spec.disks if _overlap(one, disk)), None)
        if other is not None:
            text = (
                f"{disk.vdev} and {other.vdev} overlap: Linux gives them one name, or takes one for a part of the other"
            )
            yield finding(spec, "XV036", text, "disk", at=disk)
    for nic in spec.nics:
        if nic.mac is not None and int(nic.mac[:2], 16) & 1:
            yield finding(spec, "XV037", f"{nic.mac} is an address for groups", "vif", error=True, at=nic)
        if nic.vifname is not None and len(nic.vifname) > _LONGEST_NAME:
            text = f"the interface name {nic.vifname} has more than {_LONGEST_NAME} letters"
            yield finding(spec, "XV052", text, "vif", error=True, at=nic)


def _overlap(first: DiskSpec, second: DiskSpec) -> bool:
    """Whether two disks are in each other's way; told of the later one only."""
    here, there = linux_place(first.devid), linux_place(second.devid)
    if here is None or there is None or here[0] != there[0]:
        return False
    earlier = (first.line, first.column) < (second.line, second.column)
    return earlier and (here[1] == there[1] or not here[1] or not there[1])


def _guest(spec: GuestSpec) -> Iterator[Diagnostic]:
    if spec.gic_version == "v2" and spec.maxvcpus > _GICV2_VCPUS:
        key = "maxvcpus" if "maxvcpus" in (spec.places or {}) else "vcpus"
        text = f"{spec.maxvcpus} vCPUs are too many: a GICv2 has at most {_GICV2_VCPUS}"
        yield finding(spec, "XV062", text, key, error=True)
    try:
        spis_for(spec.irqs, spec.vuart, _NEWEST, spec.nr_spis, len(spec.virtios))
    except ConfigError as error:
        yield finding(spec, "XV065", error.reason, "irqs" if spec.irqs else "nr_spis", error=True)
    try:
        check_itself(spec)
    except ConfigError as error:
        key = error.reason[1:].partition("'")[0]  # the sentence begins with it
        yield finding(spec, "XV032" if key == "p9" else "XV026", error.reason, key, error=True)
    root = next((word[5:] for word in reversed(spec.cmdline.split()) if word.startswith("root=")), "")
    if root.startswith("/dev/xvd") and not _has_disk(spec, root.removeprefix("/dev/")):
        key = "root" if "root" in (spec.places or {}) else "cmdline" if "cmdline" in (spec.places or {}) else "extra"
        yield finding(spec, "XV063", f"root={root}, but the guest has no such disk", key)


def _has_disk(spec: GuestSpec, name: str) -> bool:
    return any(name == disk.vdev or name.rstrip("0123456789") == disk.vdev for disk in spec.disks)


class _Claims:
    """What may have one owner only: the first one is remembered."""

    def __init__(self) -> None:
        self._owners: dict[tuple[str, object], tuple[int, str]] = {}
        self._pages: list[tuple[int, int, int, str]] = []

    def take(self, kind: str, what: object, number: int, owner: str) -> str | None:
        """Whose it is already, None if it was free. `number`: of the file; the owner may differ within one."""
        first = self._owners.setdefault((kind, what), (number, owner))
        return None if first == (number, owner) else first[1]

    def take_pages(self, start: int, end: int, number: int, owner: str) -> tuple[int, str | None]:
        """The first of the pages [start, end) that another file has already, and whose it is; (start, None): none."""
        taken = [(max(start, first), other) for first, last, of, other in self._pages
                 if of != number and first < end and start < last]  # fmt: skip
        self._pages.append((start, end, number, owner))
        return min(taken, default=(start, None))


def _across(checked: Sequence[Checked]) -> Iterator[Checked]:
    claims, disks = _Claims(), list(_disks(checked))
    for number, one in enumerate(checked):
        if one.spec is None:
            yield one
            continue
        more = [*_identity(number, one.spec, claims), *_nics(number, one.spec, claims)]
        more += [*_hardware(number, one.spec, claims), *_shared(number, one.spec, disks)]
        yield one.replace(findings=_sorted([*one.findings, *more]))


def _identity(number: int, spec: GuestSpec, claims: _Claims) -> Iterator[Diagnostic]:
    for key, rule, value in (("name", "XV050", spec.name), ("uuid", "XV051", spec.uuid)):
        other = claims.take(key, value, number, spec.source) if value else None
        if other is not None:
            yield finding(spec, rule, f"the {key} {value} is that of {other} too", key, error=True)


def _nics(number: int, spec: GuestSpec, claims: _Claims) -> Iterator[Diagnostic]:
    for nic in spec.nics:
        who = f"vif {nic.devid} of {spec.source or spec.name}"
        for kind, rule, value in (("MAC address", "XV035", nic.mac), ("interface name", "XV052", nic.vifname)):
            other = claims.take(kind, value, number, who) if value else None
            if other is not None:
                yield finding(spec, rule, f"the {kind} {value} is that of {other} too", "vif", error=True, at=nic)


def _hardware(number: int, spec: GuestSpec, claims: _Claims) -> Iterator[Diagnostic]:
    given: list[tuple[str, str, object]] = [("irqs", f"interrupt {irq}", irq) for irq in spec.irqs]
    given += [("dtdev", f"device {path}", path) for path in spec.dtdev]
    for key, name, what in given:
        other = claims.take(key, what, number, spec.source)
        if other is not None:
            yield finding(spec, "XV053", f"the host's {name} is given to {other} too", key)
    for pages in spec.iomem:
        page, other = claims.take_pages(pages.start, pages.start + pages.count, number, spec.source)
        if other is not None:
            yield finding(spec, "XV053", f"the host's page {page:#x} is given to {other} too", "iomem")


def _disks(checked: Sequence[Checked]) -> Iterator[tuple[int, str, bool, str]]:
    """All disks: number of the file, target, whether it may be written, name of the file."""
    for number, one in enumerate(checked):
        for disk in one.spec.disks if one.spec else ():
            if disk.target and disk.backend == "0":
                yield number, disk.target, disk.readwrite, one.path


def _shared(number: int, spec: GuestSpec, disks: Sequence[tuple[int, str, bool, str]]) -> Iterator[Diagnostic]:
    for disk in spec.disks:
        for other, target, writes, path in disks:
            if other != number and target == disk.target and disk.backend == "0" and (writes or disk.readwrite):
                text = f"{disk.target} is a disk of {path} too, and one of them may write it"
                yield finding(spec, "XV038", text, "disk", at=disk)
                break
