"""Bootloaders in the host, such as pygrub: found and run as libxl does it (xl.cfg(5), `bootloader`).

The program is given a disk and a folder, on a terminal of its own; it puts a kernel and a ramdisk into the folder, and
writes what it chose to a file, as strings that end in a NUL.
"""

from __future__ import annotations

import os
import signal
import time

from xenbus.value import Value
from xenvm.errors import ConfigError, HostError
from xenvm.host.plumbing import programs

SECONDS = 120.0
"""How long one may take: nobody can answer its questions."""
PARENT = "/var/lib/xen"
"""Where the images lie, as those of libxl: on a disk, because /run is memory and small."""
FILE_LIMIT = 1 << 30
"""Bytes that one may write into a file: an image that is larger is no guest's."""
USERS = ("xen-qemuuser-range-base", "xen-qemuuser-shared")
"""Whom a restricted one runs as unless told, as in libxl."""
_OUTPUT_LIMIT = 1 << 16
_LAST_WORDS = 300
_ESCAPES = r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|[()][0-9A-Za-z]|.)"


class Choice(Value):
    """What a bootloader chose, None: nothing; the images are in a folder, for the caller to `remove`."""

    program: str
    folder: str
    kernel: str | None = None
    ramdisk: str | None = None
    cmdline: str | None = None
    words: str = ""
    """The last line that it said."""

    def remove(self) -> None:
        """Removes the images."""
        _remove(self.folder)


def boot(
    name: str,
    release: tuple[int, int],
    options: list[str],
    disk: str,
    *,
    restrict: bool = False,
    user: str | None = None,
) -> Choice:
    """Has a bootloader look into `disk`, with more `options`; `user`: whom one that is restricted runs as.

    ConfigError: there is no such program; HostError: it failed, with its last words.
    """
    program = find(name, release)
    as_user = [f"--runas={user_id(user)}", "--quiet"] if restrict else []
    folder = _make_folder()
    output = os.path.join(folder, "output")
    where = [f"--output={output}", "--output-format=simple0", f"--output-directory={folder}"]
    try:
        words = run([program, *as_user, *where, *options, disk], output)
        found = read_choice(output)
        for path in (found.get("kernel"), found.get("ramdisk")):
            _check_inside(path, folder)
    except HostError as error:
        _remove(folder)
        raise HostError(f"{disk}: the bootloader {program} {error}") from error
    except BaseException:
        _remove(folder)
        raise
    return Choice(program, folder, **found, words=words)


def find(name: str, release: tuple[int, int]) -> str:
    """The path of a bootloader: a name without a folder is one of Xen's own, or else on the PATH. ConfigError: none."""
    from shutil import which

    found = programs.find(name, release) or which(name)
    if found is None:
        raise ConfigError(f"`bootloader': there is no program {name} on this host")
    return found


def _make_folder() -> str:
    from tempfile import mkdtemp

    return os.path.realpath(mkdtemp(prefix="xenvm-bootloader-", dir=PARENT if os.access(PARENT, os.W_OK) else None))


def _remove(folder: str) -> None:
    from shutil import rmtree

    rmtree(folder, ignore_errors=True)


def _check_inside(path: str | None, folder: str) -> None:
    """One that has read a hostile disk is not to hand files of the host to the guest."""
    if path is None:
        return
    if os.path.dirname(os.path.realpath(path)) != folder or not os.path.isfile(path):
        raise HostError(f"named {path!r}, which is no file in the folder that it was given")


def user_id(name: str | None) -> int:
    """The number of the user that a restricted bootloader runs as. HostError: there is none, or it is root."""
    from pwd import getpwnam

    wanted = [name] if name else list(USERS)
    for user in wanted:
        try:
            number = getpwnam(user).pw_uid
        except KeyError:
            continue
        if not number:
            raise HostError(f"`bootloader_restrict': {user} is root")
        return number
    raise HostError(f"`bootloader_restrict': there is no user {' or '.join(wanted)} on this host")


def run(arguments: list[str], output: str, seconds: float = SECONDS) -> str:
    """Runs a bootloader that writes its choice to `output`; the last line that it said.

    HostError, without its name: it failed. Nothing of it runs on, whatever happens.
    """
    os.close(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
    ours, theirs = os.openpty()
    try:
        try:
            pid = _spawn(arguments, theirs)
        except OSError as error:
            raise HostError(f"cannot be run: {error.strerror}") from error
        finally:
            os.close(theirs)
        said, status = _attend(pid, ours, time.monotonic() + seconds)
    finally:
        os.close(ours)
    if status is None:
        raise HostError(f"was not done within {seconds:g} s: {last_line(said)}")
    if status:
        how = f"was killed by signal {-status}" if status < 0 else f"failed ({status})"
        raise HostError(f"{how}: {last_line(said)}")
    return last_line(said)


def _spawn(arguments: list[str], terminal: int) -> int:
    import resource

    pid = os.posix_spawn(
        arguments[0],
        arguments,
        {**os.environ, "TERM": "vt100"},
        file_actions=[(os.POSIX_SPAWN_DUP2, terminal, fd) for fd in (0, 1, 2)],
        setpgroup=0,
        setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
    )
    if resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (FILE_LIMIT, FILE_LIMIT))
    return pid


def _attend(pid: int, terminal: int, deadline: float) -> tuple[bytes, int | None]:
    """What a program says until it ends, and its status; None: it took too long, and was killed with all its own."""
    handle = os.pidfd_open(pid)
    try:
        said, ended = _listen(handle, terminal, deadline)
    finally:
        os.close(handle)
        _kill(pid)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return said, status if ended else None


def _kill(pid: int) -> None:
    """Ends a program that is still waited for, so that the number is its own, and what it has started."""
    import contextlib

    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _listen(handle: int, terminal: int, deadline: float) -> tuple[bytes, bool]:
    """What a program says until it ends, or until the deadline: then False."""
    from select import select

    said, sources = b"", [handle, terminal]
    while True:
        ready = select(sources, [], [], max(deadline - time.monotonic(), 0))[0]
        if terminal in ready:
            piece = _read(terminal)
            said = (said + piece)[-_OUTPUT_LIMIT:]
            if not piece:  # it has closed its terminal, and may write on to its files
                sources = [handle]
        elif ready:
            return said, True
        if not ready or time.monotonic() > deadline:
            return said, False


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # how Linux says that nobody has the other side open
        return b""


def last_line(said: bytes) -> str:
    """The last line of a terminal's output: of a Python program, what its exception says."""
    import re

    text = re.sub(_ESCAPES, " ", said.decode("utf-8", "replace"))
    lines = ["".join(char if char.isprintable() else " " for char in line).split() for line in text.splitlines()]
    return next((" ".join(words)[-_LAST_WORDS:] for words in reversed(lines) if words), "it said nothing")


def read_choice(path: str) -> dict[str, str]:
    """What a bootloader wrote (the format simple0), by fields of Choice. HostError: it is no such thing."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            written = file.read(_OUTPUT_LIMIT + 1)
        items = written.decode().split("\0")
    except OSError as error:
        raise HostError(f"left nothing to read of what it chose: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise HostError("wrote something that is no text as what it chose") from error
    if len(written) > _OUTPUT_LIMIT:
        raise HostError(f"wrote more than {_OUTPUT_LIMIT} bytes of what it chose")
    found: dict[str, str] = {}
    for item in items:
        word, _, rest = item.lstrip().partition(" ")
        if word in ("kernel", "ramdisk", "args"):
            found["cmdline" if word == "args" else word] = rest.lstrip()
    return found
