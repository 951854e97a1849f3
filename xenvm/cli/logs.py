"""logs: what guests have said on their consoles. They may say anything: terminals are spared escape sequences."""

from __future__ import annotations

import os
import sys

from xenvm.cli.run import OK, USAGE, open_host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codecs import IncrementalDecoder

    from xenvm.host.open import Host
    from xenvm.host.plumbing.consolelog import Log

_CHUNK = 1 << 16
_LOOK_SECONDS = 0.5
_HARMFUL = (*range(0x20), *range(0x7F, 0xA0), 0x061C, *range(0x200E, 0x2010), *range(0x2028, 0x202F))
"""Control characters, and those that turn the direction of text."""
_SHOWN = {
    **{code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" for code in (*_HARMFUL, *range(0x2066, 0x206A))},
    ord("\n"): "\n",
    ord("\t"): "\t",
    ord("\r"): None,
}


def logs(domain: str, follow: bool, previous: bool, every: bool, raw: bool) -> int:
    """Prints the log of a guest, of the last one of its name."""
    if follow + previous + every > 1 and not (follow and every):
        print("xenvm: -f, --previous and --all exclude each other, but for -f with --all", file=sys.stderr)
        return USAGE
    with open_host() as host:
        log = _find(host, domain)
        if follow and not host.lasting:
            from xenvm.errors import UnsupportedError

            raise UnsupportedError("a simulated guest runs only while a command waits for it: see `xenvm console`")
    from xenvm.host.plumbing.consolelog import open_log

    fd = open_log(log.path)
    start = 0 if every else log.previous if previous else log.start
    end = log.start if previous else None
    printer = _Printer(raw)
    at = _print(fd, start, end, printer)
    while follow:
        import time

        time.sleep(_LOOK_SECONDS)
        fd, at = _reopened(log.path, fd, at)
        at = _print(fd, at, None, printer)
    return OK


def _find(host: Host, domain: str) -> Log:
    """The log of a guest by the name it was created with, or of a name that no guest has any more."""
    from xenvm.errors import DeviceError, NoSuchDomain
    from xenvm.ops import memo, names

    name = domain
    try:
        info = names.find_guest(host, domain)
        kept = memo.read(host, info.domid, info.uuid)
        name = kept.spec.name if kept else names.names(host, [info.domid])[info.domid] or domain
    except NoSuchDomain:
        pass
    log = host.plumbing.consolelog.find(name)
    if log is None:
        reason = "there is no log of its console; xenconsoled writes logs when it is started with --log=guest"
        raise DeviceError(name, reason)
    return log


def _print(fd: int, at: int, end: int | None, printer: _Printer) -> int:
    """Prints what there is from `at` on, up to `end`; where it stopped."""
    while end is None or at < end:
        data = os.pread(fd, _CHUNK if end is None else min(_CHUNK, end - at), at)
        if not data:
            break
        printer.write(data)
        at += len(data)
    return at


def _reopened(path: str, fd: int, at: int) -> tuple[int, int]:
    """The log that has this name now, from its beginning if it is another one or was emptied."""
    from xenvm.errors import DeviceError
    from xenvm.host.plumbing.consolelog import open_log

    try:
        fresh = open_log(path)
    except DeviceError:
        return fd, at
    same = os.path.samestat(os.fstat(fresh), os.fstat(fd))
    os.close(fd)
    return fresh, at if same and os.fstat(fresh).st_size >= at else 0


class _Printer:
    """Writes to standard output, as text without harm or as it is."""

    def __init__(self, raw: bool) -> None:
        self._decoder: IncrementalDecoder | None = None
        if not raw:
            from codecs import getincrementaldecoder

            self._decoder = getincrementaldecoder("utf-8")("backslashreplace")

    def write(self, data: bytes) -> None:
        """One piece of a log, wherever it is cut."""
        shown = data if self._decoder is None else self._decoder.decode(data).translate(_SHOWN).encode()
        sys.stdout.buffer.write(shown)
        sys.stdout.buffer.flush()
