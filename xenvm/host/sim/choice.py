"""What a choice of a simulated host says behind the folder: ``sim:FOLDER?xen=4.17&gic=v2&memory=8G&behaviour=slow``."""

from __future__ import annotations

from xenvm.errors import ConfigError, HostError
from xenvm.host.sim.behaviour import Behaviour, parse_behaviour

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_UNITS = {"m": 1, "g": 1024, "t": 1024 * 1024}
"""MiB."""
_TRUTHS = {"0": False, "no": False, "1": True, "yes": True}
_MOST_CPUS = 4096


class Choice:
    """What is asked for: a folder (none: the usual one), fields of Machine, and how guests behave that start now."""

    def __init__(self, text: str) -> None:
        """HostError for what cannot be asked for."""
        self.folder, _, words = text.partition("?")
        self.fields: dict[str, object] = {}
        self.behaviour: Behaviour | None = None
        for word in filter(None, words.split("&")):
            self._take(*word.partition("=")[::2])

    def _take(self, key: str, value: str) -> None:
        try:
            if key == "behaviour":
                self.behaviour = parse_behaviour(value)
            else:
                self.fields[key] = _READERS[key](value)
        except KeyError:
            known = ", ".join([*_READERS, "behaviour"])
            raise HostError(f"a simulated host has no {key!r} to choose, only {known}") from None
        except ValueError:
            raise HostError(f"{value!r} is no {key} that a simulated host can have") from None
        except ConfigError as error:
            raise HostError(str(error)) from None


def _release(text: str) -> tuple[int, int]:
    from xenvm.host.sim.machine import RELEASES

    known = {f"{major}.{minor}": (major, minor) for major, minor in RELEASES}
    if text not in known:
        raise HostError(f"there is no simulation of Xen {text}, only of {', '.join(known)}")
    return known[text]


def _gic(text: str) -> int:
    return {"2": 2, "v2": 2, "3": 3, "v3": 3}.get(text) or _no(text)


def _mebibytes(text: str) -> int:
    unit = _UNITS.get(text[-1:].lower())
    return _number(text[:-1] if unit else text, 1 << 24) * (unit or 1)


def _cpus(text: str) -> int:
    return _number(text, _MOST_CPUS)


def _bits(text: str) -> int:
    number = _number(text, 48)
    return number if number >= 32 else _no(text)


def _number(text: str, maximum: int) -> int:
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
    return number if 0 < number <= maximum else _no(text)


def _truth(text: str) -> bool:
    return _TRUTHS[text.lower()] if text.lower() in _TRUTHS else bool(_no(text))


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(",")))


def _no(text: str) -> int:
    raise ValueError(text)


_READERS: dict[str, Callable[[str], object]] = {
    "xen": _release,
    "gic": _gic,
    "memory": _mebibytes,
    "cpus": _cpus,
    "bridges": _names,
    "dom0_memory": _mebibytes,
    "gpaddr_bits": _bits,
    "arm32": _truth,
    "iommu": _truth,
}
