"""explain: a guest's devices, both ends of each, and in one sentence what is missing and who must do it."""

from __future__ import annotations

import sys

from xenvm.cli.run import FAILED, OK, Answer, open_host
from xenvm.ops import names
from xenvm.ops.explain import Look, follow, look

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xenvm.cli.store.session import Paint
    from xenvm.ops.explain import End, Explained

_SINCE_BEFORE = "since before this look"


def explain(domain: str, device: str | None, following: bool, as_json: bool) -> int:
    """Prints what a guest's devices wait for; ends with 1 if something is missing."""
    from xenvm.cli.store.session import Paint, coloured

    with open_host() as host:
        info = names.find_guest(host, domain)
        if not following:
            found = look(host, info, device)
            with Answer():
                if as_json:
                    import json

                    print(json.dumps({"version": 1, **_object(found)}, indent=2))
                else:
                    _print(_page(found, Paint(coloured())))
            return OK if found.well else FAILED
        teller = Teller(_json_line if as_json else None, Paint(coloured()))
        follow(host, info, device, teller.tell)
    return OK


class Teller:
    """Prints the first look whole, and then what is new in each: whole again as JSON."""

    def __init__(self, line: Callable[[Look], str] | None, paint: Paint) -> None:
        self._line, self._paint = line, paint
        self._last: Look | None = None

    def tell(self, found: Look) -> None:
        """Prints one look."""
        last, self._last = self._last, found
        if self._line is not None:
            print(self._line(found))
        else:
            _print(_page(found, self._paint) if last is None else _news(last, found, self._paint))
        sys.stdout.flush()


def _json_line(found: Look) -> str:
    import json
    import time

    return json.dumps({"version": 1, "time": round(time.time(), 6), **_object(found)})


def _print(lines: Iterator[str]) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)


def _page(found: Look, paint: Paint) -> Iterator[str]:
    guest = found.guest
    age = "" if guest.age is None else f", created {span(guest.age)} ago"
    yield f"{_shown(guest.name)} (domain {guest.domid}): {guest.life}{_reason(found)}{age}"
    if not guest.diagnosis.well:
        yield f"  {paint.text(_shown(guest.diagnosis.sentence), '33')}"
    if not found.devices:
        yield "  no devices"
    for device in found.devices:
        yield paint.text(device.name, "1")
        if device.front is not None and device.back is not None:
            yield f"  front end  {_end(device.front, found, paint)}"
            yield f"  back end   {_end(device.back, found, paint)}"
        yield "  " + _sentence(device, paint)


def _reason(found: Look) -> str:
    return f" ({found.guest.reason})" if found.guest.reason else ""


def _end(end: End, found: Look, paint: Paint) -> str:
    since = _SINCE_BEFORE if end.since is None else f"for {span(found.at - end.since)}"
    return f"{paint.state(end.state, f'{end.state_name:<14}')}  {since}"


def _sentence(device: Explained, paint: Paint) -> str:
    text = _shown(device.diagnosis.sentence)
    return text if device.diagnosis.well else paint.text(text, "33")


def _news(last: Look, found: Look, paint: Paint) -> Iterator[str]:
    import time

    now = time.time()
    clock = f"{time.strftime('%H:%M:%S', time.localtime(now))}.{int(now % 1 * 1000):03d}"
    if last.guest.life != found.guest.life:
        yield f"{clock} {_shown(found.guest.name)}: {last.guest.life} -> {found.guest.life}{_reason(found)}"
    if last.guest.request != found.guest.request:
        yield f"{clock} {_shown(found.guest.name)}: {_shown(found.guest.diagnosis.sentence)}"
    before = {device.name: device for device in last.devices}
    for device in found.devices:
        known = before.pop(device.name, None)
        ends = (
            ("front end", device.front, known.front if known else None),
            ("back end", device.back, known.back if known else None),
        )
        for side, new, old in ends:
            if new is not None and (old is None or new.state_name != old.state_name):
                was = f"{old.state_name}{_lasted(old, found.at)} -> " if old else ""
                yield f"{clock} {device.name}: {side} {was}{paint.state(new.state, new.state_name)}"
        if known is None or known.diagnosis != device.diagnosis:
            yield f"{clock} {device.name}: {_sentence(device, paint)}"
    yield from (f"{clock} {name}: gone" for name in before)


def _lasted(end: End, now: float) -> str:
    return "" if end.since is None else f" for {span(now - end.since)}"


def span(seconds: float) -> str:
    """A time in words: ``2.1 s``, ``12 min``, ``3 h``."""
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = seconds / 60
    if minutes < 100:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.0f} h" if minutes < 6000 else f"{minutes / 1440:.0f} d"


def _shown(text: str) -> str:
    """What a terminal can take: a domain's name may be anything."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _object(found: Look) -> dict[str, object]:
    guest = found.guest
    return {
        "domid": guest.domid,
        "name": guest.name,
        "life": guest.life,
        "shutdown_reason": guest.reason or None,
        "age_seconds": None if guest.age is None else round(guest.age, 3),
        "well": found.well,
        "code": guest.diagnosis.code,
        "who": guest.diagnosis.who,
        "sentence": None if guest.diagnosis.well else guest.diagnosis.sentence,
        "devices": [_device_object(device, found.at) for device in found.devices],
    }


def _device_object(device: Explained, now: float) -> dict[str, object]:
    return {
        "device": device.name,
        "kind": device.kind,
        "devid": device.devid,
        "frontend": _end_object(device.front, now),
        "backend": _end_object(device.back, now),
        "well": device.diagnosis.well,
        "code": device.diagnosis.code,
        "who": device.diagnosis.who,
        "sentence": device.diagnosis.sentence,
    }


def _end_object(end: End | None, now: float) -> dict[str, object] | None:
    if end is None:
        return None
    seconds = None if end.since is None else round(now - end.since, 3)
    return {"path": end.path, "state": end.state, "state_name": end.state_name, "there": end.there, "seconds": seconds}
