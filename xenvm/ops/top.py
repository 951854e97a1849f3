"""What `top` shows, from one look at the host to the next: samples in, rows out; asks nobody, see top_look.

A domid may be given out anew between two looks, so that a domain is its domid and its uuid.
"""

from __future__ import annotations

from xenbus.bus import CONNECTED, STATE_NAMES
from xenbus.value import Value
from xenvm.host.hyper import SHUTDOWN_REASONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from xenvm.host.hyper import DomainInfo
    from xenvm.ops.records import Record

    Key = tuple[int, str]
    """Domid and uuid."""

MIN_SECONDS = 0.5
"""Looks that follow each other faster, as when the store tells of something, have too coarse a share of the CPU."""
ORDERS = ("cpu", "name", "id", "memory", "state")
"""What rows can be sorted by; CPU and memory have the most at the top."""


class Device(Value):
    """One device with the states of its two ends, 0 where an end is gone or says nothing sensible."""

    record: Record
    front: int
    back: int

    @property
    def name(self) -> str:
        """``xvda``, or ``vif 0`` for what has no name."""
        return escaped(self.record.facts.get("dev", "")) or f"{escaped(self.record.kind)} {self.record.devid}"

    @property
    def states(self) -> str:
        """One word where both ends are connected, else both: ``front InitWait, back Closing``."""
        if self.front == self.back == CONNECTED:
            return STATE_NAMES[CONNECTED]
        return f"front {STATE_NAMES[self.front]}, back {STATE_NAMES[self.back]}"


class Sample(Value):
    """One look: at `at`, in seconds of the store's clock."""

    at: float
    domains: tuple[DomainInfo, ...]
    names: dict[int, str | None]
    devices: dict[int, tuple[Device, ...]]


class Row(Value):
    """What is shown of a domain."""

    info: DomainInfo
    name: str
    """Safe to print; ``(null)`` where the store has none."""
    raw_name: str | None
    percent: float | None
    """Share of one CPU since the look before; None of a domain that was not there then."""
    devices: tuple[Device, ...]

    @property
    def key(self) -> Key:
        """Which domain it is."""
        return self.info.domid, self.info.uuid

    @property
    def state(self) -> str:
        """In a word: ``running``, ``blocked``, ``paused``, ``dying``, or the reason of its end, such as ``crash``."""
        return state_word(self.info)

    @property
    def memory_mib(self) -> int:
        """Memory that it has."""
        return self.info.tot_pages // 256


class Rates:
    """The share of CPU time of each domain, between looks that are far enough apart."""

    def __init__(self) -> None:
        self._base: Sample | None = None
        self._known: dict[Key, float] = {}

    def take(self, sample: Sample) -> dict[Key, float]:
        """Per cent of one CPU by domain, since the look before."""
        base = self._base
        if base is None or sample.at < base.at:
            self._base, self._known = sample, {}
        elif sample.at - base.at >= MIN_SECONDS:
            self._base, self._known = sample, _between(base, sample)
        return self._known


def _between(base: Sample, sample: Sample) -> dict[Key, float]:
    spent = {(info.domid, info.uuid): info.cpu_time for info in base.domains}
    elapsed_ns = (sample.at - base.at) * 1e9
    return {
        (info.domid, info.uuid): max(0, info.cpu_time - spent[info.domid, info.uuid]) * 100 / elapsed_ns
        for info in sample.domains
        if (info.domid, info.uuid) in spent
    }


def rows(sample: Sample, rates: dict[Key, float]) -> list[Row]:
    """A row for each domain, by domid."""
    return [
        Row(
            info,
            "(null)" if (name := sample.names.get(info.domid)) is None else escaped(name),
            name,
            rates.get((info.domid, info.uuid)),
            sample.devices.get(info.domid, ()),
        )
        for info in sample.domains
    ]


def arranged(found: Iterable[Row], order: str = "id", wanted: str = "") -> list[Row]:
    """The rows whose name has `wanted` in it (in any case), or whose domid it is, in one of the ORDERS."""
    text = wanted.casefold()
    kept = [row for row in found if text in row.name.casefold() or text == str(row.info.domid)]
    if order == "cpu":
        return sorted(kept, key=lambda row: (-(row.percent or 0.0), row.info.domid))
    if order == "memory":
        return sorted(kept, key=lambda row: (-row.info.tot_pages, row.info.domid))
    if order == "name":
        return sorted(kept, key=lambda row: (row.name.casefold(), row.info.domid))
    if order == "state":
        return sorted(kept, key=lambda row: (row.state, row.info.domid))
    return sorted(kept, key=lambda row: row.info.domid)


def state_word(info: DomainInfo) -> str:
    """A domain's state in one word."""
    if info.dying:
        return "dying"
    if info.shutdown:
        code = info.shutdown_code
        return SHUTDOWN_REASONS[code] if code is not None and code < len(SHUTDOWN_REASONS) else "shutdown"
    if info.paused:
        return "paused"
    return "running" if info.running else "blocked" if info.blocked else "ready"


def summary(devices: Sequence[Device]) -> str:
    """All devices in a few words: those that are well are counted, the others named with their states."""
    well = [device for device in devices if device.front == device.back == CONNECTED]
    ill = [f"{device.name}: {device.states}" for device in devices if device not in well]
    return "; ".join([*ill, *([f"{len(well)} Connected"] if well else [])])


def totals(found: Sequence[Row], *, rates: bool = True) -> str:
    """All domains in a line; their share of the CPUs where `rates` are known."""
    alive = sum(row.state in ("running", "blocked", "ready") for row in found)
    paused = sum(row.state == "paused" for row in found)
    percent = sum(row.percent or 0.0 for row in found)
    mib = sum(row.memory_mib for row in found)
    share = f"; CPU {percent:.0f}%" if rates else ""
    return f"{len(found)} domains, {alive} alive, {paused} paused{share}; memory {mib} MiB"


def escaped(text: str) -> str:
    """A name that does a terminal no harm: what cannot be printed, bytes that are no UTF-8 too, as ``\\x1b``."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escape(character) for character in text)


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00  # a byte that is no UTF-8
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
