"""The table of settings: which keys xl.cfg has and what becomes of each; nobody else names keys in a list."""

from __future__ import annotations

from xenbus.value import Value
from xenvm.guest.cfg import ListValue
from xenvm.guest.numerals import integer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from xenvm.guest.cfg import Atom


class Row(Value):
    """One setting."""

    key: str
    type: str
    """S, I, B, L, L/S or LL."""
    kind: str
    """use; harmless: accepted, no effect; warn: one warning; err: refused unless it asks for nothing."""
    priority: str
    default: str
    help: str
    field: str = ""
    """The field of GuestSpec that a converter of :mod:`xenvm.guest.convert` fills."""
    converter: str = ""
    accepts: tuple[str, ...] | tuple[int, int] = ()
    reason: str = ""
    """Why it is refused or ignored."""


# Bare arguments of Row, by key: 170 values that nobody asks for would take longer than all the rest.
_index: dict[str, tuple[Any, ...]] = {}


def find(key: str) -> Row | None:
    """The row of a key, None if xl.cfg has no such key."""
    found = _rows().get(key)
    return Row(*found) if found else None


def suggest(key: str) -> str | None:
    """The known key that one slip of the keyboard turns into `key`; difflib would cost more than all the rest."""
    return next((known for known in _rows() if _one_slip(key, known)), None)


def hint(word: str, known: Iterable[str]) -> str:
    """``; is it `X'?`` for the known word that one slip turns into `word`, else nothing."""
    near = next((each for each in known if _one_slip(word, each)), None)
    return f"; is it `{near}'?" if near else ""


def documentation() -> Iterator[tuple[str, str, str, str, str]]:
    """(key, type, default, class, help) of every setting, by key; the class is use, warn or err."""
    for key, kind, action, _, default, sentence, *_ in sorted(_rows().values()):
        yield key, kind, default, "use" if action == "harmless" else action, sentence


def asks_for_nothing(row: Row, value: Atom | ListValue) -> bool:
    """Whether a setting is written out but empty, zero or at its default, so that it makes no difference."""
    if isinstance(value, ListValue):
        return not value.items
    text = value.text.strip().lower()
    if not text or text == row.default:
        return True
    number = integer(text)
    return number is not None and number == (integer(row.default) or 0)


def _one_slip(written: str, meant: str) -> bool:
    """Whether one letter is missing, too much or wrong, or two neighbours are swapped."""
    if len(written) < 3 or abs(len(written) - len(meant)) > 1:
        return False
    same = 0
    while same < min(len(written), len(meant)) and written[same] == meant[same]:
        same += 1
    written, meant = written[same:], meant[same:]
    if written[1:] == meant[1:] or written[1:] == meant or written == meant[1:]:
        return True
    return written[:2] == meant[1::-1] and written[2:] == meant[2:]


def _rows() -> dict[str, tuple[Any, ...]]:
    if not _index:
        _index.update((row[0], row) for row in _made())
    return _index


def _made() -> Iterator[tuple[Any, ...]]:
    # Here and not above: whoever only attaches a device needs no table.
    from xenvm.guest.settings_rows import HARMLESS, IGNORED, REFUSED, USED

    for key, kind, priority, default, field, converter, accepts, sentence in USED:
        yield key, kind, "use", priority, default, sentence, field, converter, accepts
    for key, kind, priority, default, sentence in HARMLESS:
        yield key, kind, "harmless", priority, default, sentence
    for key, kind, priority, default, reason, sentence in REFUSED:
        yield key, kind, "err", priority, default, sentence, "", "", (), reason
    for keys, kind, reason in IGNORED:
        for key in keys.split():
            yield key, kind, "warn", "no", "", f"Ignored: {reason}.", "", "", (), reason
