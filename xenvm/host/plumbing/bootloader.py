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
"""How long one may take, as in libxl for those that are restricted: nobody can answer its questions."""
PARENT = "/run"
_OUTPUT_LIMIT = 1 << 16
_LAST_WORDS = 300


class Choice(Value):
    """What a bootloader chose, None: nothing; the images are in a folder, for the caller to `remove`."""

    program: str
    folder: str
    kernel: str | None = None
    ramdisk: str | None = None
    cmdline: str | None = None

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
        found = run([program, *as_user, *where, *options, disk], output)
    except BaseException:
        _remove(folder)
        raise
    return Choice(program, folder, **found)


def find(name: str, release: tuple[int, int]) -> str:
    """The path of a bootloader; a name without a folder is one of Xen's own. ConfigError if there is none."""
    found = programs.find(name, release)
    if found is None:
        raise ConfigError(f"`bootloader': there is no program {name} on this host")
    return found


def _make_folder() -> str:
    from tempfile import mkdtemp

    return mkdtemp(prefix="xenvm-bootloader-", dir=PARENT if os.access(PARENT, os.W_OK) else None)


def _remove(folder: str) -> None:
    from shutil import rmtree

    rmtree(folder, ignore_errors=True)


def user_id(name: str | None) -> int:
    """The number of the user that a restricted bootloader runs as. HostError: there is none, or it is root."""
    from pwd import getpwnam

    wanted = name or "xen-qemuuser-shared"
    try:
        number = getpwnam(wanted).pw_uid
    except KeyError:
        raise HostError(f"`bootloader_restrict': there is no user {wanted} on this host") from None
    if not number:
        raise HostError(f"`bootloader_restrict': {wanted} is root")
    return number


def run(arguments: list[str], output: str, seconds: float = SECONDS) -> dict[str, str]:
    """Runs a bootloader that writes its choice to `output`: kernel, ramdisk, cmdline. HostError if it fails."""
    os.close(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
    ours, theirs = os.openpty()
    try:
        try:
            pid = _spawn(arguments, theirs)
        except OSError as error:
            raise HostError(f"the bootloader {arguments[0]} cannot be run: {error.strerror}") from error
        finally:
            os.close(theirs)
        said = _listen(pid, ours, time.monotonic() + seconds)
    finally:
        os.close(ours)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        raise HostError(f"the bootloader {arguments[0]} failed ({status}): {_last_words(said)}")
    return read_choice(output)


def _spawn(arguments: list[str], terminal: int) -> int:
    return os.posix_spawn(
        arguments[0],
        arguments,
        {"TERM": "vt100", "PATH": os.environ.get("PATH", os.defpath)},
        file_actions=[(os.POSIX_SPAWN_DUP2, terminal, fd) for fd in (0, 1, 2)],
        setpgroup=0,
        setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
    )


def _listen(pid: int, terminal: int, deadline: float) -> bytes:
    """What a program says until it closes its terminal; one that takes too long is killed."""
    from select import select

    said = b""
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not select([terminal], [], [], left)[0]:
            os.killpg(pid, signal.SIGKILL)
            return said + b" it took too long"
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # how Linux says that nobody has the other side open
            return said
        if not piece:
            return said
        said = (said + piece)[-_OUTPUT_LIMIT:]


def _last_words(said: bytes) -> str:
    text = said.decode("utf-8", "replace")
    words = "".join(char if char.isprintable() else " " for char in text).split()
    return " ".join(words)[-_LAST_WORDS:] or "it said nothing"


def read_choice(path: str) -> dict[str, str]:
    """What a bootloader wrote (the format simple0), by fields of Choice."""
    with open(path, "rb") as file:
        items = file.read(_OUTPUT_LIMIT).decode("utf-8", "surrogateescape").split("\0")
    found: dict[str, str] = {}
    for item in items:
        word, _, rest = item.lstrip().partition(" ")
        if word in ("kernel", "ramdisk", "args"):
            found["cmdline" if word == "args" else word] = rest.lstrip()
    return found
