"""A recording of a store's traffic as JSON lines: a header, then what happened, each line with its time.

One format for two sources: what watches show from outside (path, new value or removal, permissions), and what a server
that records itself knows (also who it was, and every request). All of a recording is hostile: guests wrote the values,
and the file can have come from anywhere.
"""

from __future__ import annotations

from xenbus.dump import value_object
from xenbus.errors import InvalidValue
from xenbus.path import is_path
from xenbus.perm import Perm, format_perms, parse_perms
from xenbus.request import Discard, SetPerms, Write
from xenbus.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, TextIO

    from xenbus.request import Request

VERSION = 1
KEY = "xenstore-recording"
HAVE, WRITE, PERMS, REMOVE, ASK, END = "have", "write", "perms", "rm", "ask", "end"
"""What an event is: a node that was there at the beginning; changes; a request; why the recording ended."""
OPS = (HAVE, WRITE, PERMS, REMOVE, ASK, END)
WATCHES, SERVER = "watches", "server"
"""Where a recording comes from."""

SIZE_MAX = 64 << 20
"""Bytes of a recording, and so of the memory that it takes to read one."""
LINE_MAX = 1 << 16
"""Characters of a line: a value as base64, a path, and permissions of many domains."""


class Header(Value):
    """The first line: `started` is the wall clock's time in seconds, `target` what was asked for."""

    source: str
    started: float
    xen: str = ""
    target: str = ""
    domid: int | None = None
    watched: tuple[str, ...] = ()


class Event(Value):
    """One line: `time` in seconds since the beginning; which of the others there are depends on `op`."""

    time: float
    op: str
    path: str = ""
    value: bytes | None = None
    perms: tuple[Perm, ...] | None = None
    by: int | None = None
    """The domain that did it, where the server itself recorded."""
    events: int = 1
    """How many events of a watch this one look answers: more than one means values that nobody has seen."""
    request: str = ""
    """The operation's name, of ASK."""
    tx: int = 0
    error: str = ""
    """Of ASK: what the server refused it with. Of END: why."""

    @property
    def changes(self) -> bool:
        """Whether it says what a node is from now on."""
        return self.op in (HAVE, WRITE, PERMS, REMOVE)


class Recording(Value):
    """A whole recording."""

    header: Header
    events: tuple[Event, ...]

    @property
    def ended(self) -> str:
        """Why it ended; empty if it was cut off."""
        last = self.events[-1] if self.events else None
        return last.error if last is not None and last.op == END else ""


class Writer:
    """Writes lines to a file until `limit` bytes; each line is whole, and out at once."""

    def __init__(self, file: TextIO, header: Header, limit: int = SIZE_MAX) -> None:
        self._file, self._left = file, limit
        self.full = False
        """Whether no more is taken: the last line says so."""
        head: dict[str, Any] = {KEY: VERSION, **header.as_dict()}
        self._line(head)

    def put(self, event: Event) -> None:
        """Adds an event; nothing once it is full."""
        if self.full:
            return
        if self._left < 2 * LINE_MAX and event.op != END:
            self.full = True
            event = Event(event.time, END, error="the recording is as large as it may be")
        self._line(event_object(event))

    def flush(self) -> None:
        """Makes visible what was put."""
        self._file.flush()

    def _line(self, entry: dict[str, Any]) -> None:
        import json

        line = json.dumps(entry, separators=(",", ":"))
        self._left -= len(line) + 1
        self._file.write(line + "\n")


def open_private(path: str) -> TextIO:
    """A new file for its owner alone, or an old one made so: a recording has all that a guest was given."""
    import os

    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        if os.path.isfile(path):
            os.fchmod(fd, 0o600)
    except BaseException:
        os.close(fd)
        raise
    return open(fd, "w", encoding="utf-8")


def event_object(event: Event) -> dict[str, Any]:
    """An event as JSON has it: what is not there is left out."""
    entry: dict[str, Any] = {"t": round(event.time, 6), "op": event.op}
    if event.path:
        entry["path"] = event.path
    if event.value is not None:
        entry.update(value_object(event.value))
    if event.perms:
        entry["perms"] = format_perms(event.perms)
    for name, usual in (("by", None), ("events", 1), ("request", ""), ("tx", 0), ("error", "")):
        if getattr(event, name) != usual:
            entry[name] = getattr(event, name)
    return entry


def as_requests(event: Event) -> list[Request]:
    """What makes of a store what an event says; nothing for those that change nothing."""
    if event.op == REMOVE:
        return [Discard(event.path)]
    rights: list[Request] = [SetPerms(event.path, event.perms)] if event.perms else []
    if event.op == PERMS or event.value is None or not event.changes:
        return rights if event.changes else []
    return [Write(event.path, event.value), *rights]


def is_recording(first_line: str) -> bool:
    """Whether a file that begins so is a recording."""
    return first_line.startswith("{") and f'"{KEY}"' in first_line[:64]


def bounded(file: TextIO) -> Iterator[str]:
    """The lines of any file, cut where `load` refuses them: one without line ends is not read as a whole."""
    return iter(lambda: file.readline(LINE_MAX + 1), "")


def load(lines: Iterable[str], name: str = "recording") -> Recording:
    """Reads lines; raises InvalidValue with the line's number. A last line that was cut off is left out."""
    header: Header | None = None
    events: list[Event] = []
    left, torn = SIZE_MAX, False
    for number, line in enumerate(lines, 1):
        left -= len(line)
        if torn or len(line) > LINE_MAX or left < 0:
            what = "is no JSON" if torn else "is too long"
            raise InvalidValue(f"{name}, line {number - torn}: it {what}")
        if header is None:
            header = _header(_json(line), name)
            continue
        if not line.endswith("\n") and _json(line) is None:
            torn = True
            continue
        events.append(_event_at(line, name, number))
    if header is None:
        raise InvalidValue(f"{name} is empty")
    return Recording(header, tuple(events))


def _json(line: str) -> object:
    import json

    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _header(found: object, name: str) -> Header:
    if not isinstance(found, dict) or found.get(KEY) != VERSION:
        raise InvalidValue(f'{name} is no recording of a store: its first line has no "{KEY}": {VERSION}')
    started, domid, watched = found.get("started"), found.get("domid"), found.get("watched")
    source, xen, target = (_short(found.get(key)) for key in ("source", "xen", "target"))
    return Header(
        source,
        float(started) if isinstance(started, int | float) and _is_number(started) else 0.0,
        xen,
        target,
        domid if isinstance(domid, int) and 0 <= domid < 0x7FF0 else None,
        tuple(path for path in watched if isinstance(path, str) and is_path(path)) if isinstance(watched, list) else (),
    )


def _event_at(line: str, name: str, number: int) -> Event:
    try:
        return parse_event(_json(line))
    except ValueError as error:
        raise InvalidValue(f"{name}, line {number}: {error}") from None


def parse_event(found: object) -> Event:
    """An event of what JSON has; raises ValueError."""
    if not isinstance(found, dict) or found.get("op") not in OPS or not _is_number(found.get("t")):
        raise ValueError('it is no event with "t" and "op"')
    op, path, perms = found["op"], found.get("path", ""), found.get("perms")
    if not isinstance(path, str) or not (is_path(path, special=True) or op in (ASK, END)):
        raise ValueError("it has no path that the protocol allows")
    if perms is not None and not isinstance(perms, str):
        raise ValueError("its permissions are no text")
    return Event(
        max(0.0, float(found["t"])),
        op,
        path[:LINE_MAX],
        _value(found, op),
        None if perms is None else parse_perms(perms),
        _integer(found.get("by"), None),
        _integer(found.get("events"), 1) or 1,
        _short(found.get("request")),
        _integer(found.get("tx"), 0) or 0,
        _short(found.get("error")),
    )


def _value(found: dict[str, Any], op: str) -> bytes | None:
    text = found.get("base64", found.get("value"))
    if text is None and op in (HAVE, WRITE):
        return b"" if "value" not in found else None
    if text is None:
        return None
    if not isinstance(text, str):
        raise ValueError("its value is no text")
    if "base64" not in found:
        return text.encode("utf-8", "surrogatepass")
    from binascii import a2b_base64

    return a2b_base64(text, strict_mode=True)


def _is_number(value: object) -> bool:
    """A finite one: JSON in Python also knows NaN and Infinity."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e15 < value < 1e15


def _integer(value: object, usual: int | None) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**32 else usual


def _short(value: object) -> str:
    return value[:256] if isinstance(value, str) else ""
