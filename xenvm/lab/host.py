"""A running lab: boot an image, talk to its dom0, take it down."""

from __future__ import annotations

import fcntl
import io
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from xenvm.lab import client, deps, process, qemu, tools
from xenvm.lab.client import OnOutput, Result
from xenvm.lab.errors import BootFailed, CommandFailed, Disconnected, LabError, LabExists, NoLab
from xenvm.lab.image import Image, cache_folder
from xenvm.lab.progress import Progress, silent
from xenvm.lab.qemu import Options

BOOT_TIMEOUT = 300.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,80}")


@dataclass(frozen=True, slots=True)
class Lab:
    """A lab's run folder: its state, its serial log, its shares; and the machine that uses them."""

    name: str
    suite: str
    folder: Path
    port: int
    options: Options
    missing: tuple[str, ...] = ()

    @property
    def pid(self) -> int | None:
        """QEMU's process, None if it is gone."""
        return process.pid_of(self.folder)

    @property
    def address(self) -> client.Address:
        """Where dom0's command server answers."""
        return client.Address(self.port, (self.folder / "share/token").read_text())

    @property
    def console_log(self) -> Path:
        """The serial log of Xen and dom0."""
        return self.folder / "serial.log"

    def run(
        self, command: Sequence[str] | str, *, timeout: float | None = 300.0, check: bool = False,
        stdin: bytes | None = None, cwd: str | None = None, env: Mapping[str, str] | None = None,
        on_output: OnOutput | None = None,
    ) -> Result:  # fmt: skip
        """Run arguments, or a text as a script of /bin/sh, in dom0; `check` raises unless it returns 0."""
        argv = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
        result = client.run(
            self.address, argv, timeout=timeout, stdin=stdin, cwd=cwd, env=env, on_output=on_output,
            stamp=deps.stamp(),
        )  # fmt: skip
        if check and result.rc != 0:
            raise CommandFailed(" ".join(argv)[:200], result.rc, result.stdout, result.stderr)
        return result

    def put(self, source: Path | str, path: str) -> None:
        """Copy a file of this machine into dom0, with its mode."""
        with open(source, "rb") as file:
            client.put(self.address, file, path, os.fstat(file.fileno()).st_mode & 0o777)

    def write(self, path: str, data: bytes | str, mode: int = 0o644) -> None:
        """Write a file of dom0."""
        raw = data.encode() if isinstance(data, str) else data
        client.put(self.address, io.BytesIO(raw), path, mode)

    def get(self, path: str, target: Path | str) -> None:
        """Copy a file of dom0 to this machine."""
        part = Path(f"{target}.part")
        try:
            with part.open("wb") as file:
                client.get(self.address, path, file)
            part.rename(target)
        finally:
            part.unlink(missing_ok=True)

    def read(self, path: str) -> bytes:
        """The contents of a file of dom0."""
        data = io.BytesIO()
        client.get(self.address, path, data)
        return data.getvalue()

    def down(self) -> None:
        """End the machine and remove the run folder; a second time does nothing."""
        remove(self.folder)

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *exc: object) -> None:
        self.down()

    def _save(self) -> None:
        state = {"suite": self.suite, "port": self.port, "options": self.options.as_dict(), "missing": self.missing}
        (self.folder / "lab.json").write_text(json.dumps(state))


def run_folder() -> Path:
    """Where labs keep their run folders; for this user only."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    usable = runtime and os.access(runtime, os.W_OK)
    folder = Path(runtime) / "xenvm/lab" if runtime and usable else cache_folder() / "run"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def remove(folder: Path) -> None:
    """End the machine of a run folder, and remove the folder; either may be gone."""
    process.stop(folder)
    shutil.rmtree(folder, ignore_errors=True)


def labs() -> list[Lab]:
    """All labs that were brought up and not taken down, whether their machine still lives or not."""
    found = []
    for path in sorted(run_folder().glob("[!.]*/lab.json")):
        try:
            found.append(_load(path))
        except (OSError, ValueError, KeyError):  # taken down just now
            continue
    return found


def find(name: str | None = None) -> Lab:
    """A running lab by name, or the only one."""
    running = [lab for lab in labs() if lab.pid is not None]
    if name is not None:
        running = [lab for lab in running if lab.name == name]
    if not running:
        raise NoLab(f"no lab {name} is running" if name else "no lab is running")
    if len(running) > 1:
        raise NoLab(f"several labs are running, name one: {', '.join(lab.name for lab in running)}")
    return running[0]


def check_name(name: str) -> str:
    """The name, if it can be one; a dot in front is for labs that only a build sees."""
    if not _NAME.fullmatch(name):
        raise LabError(f"{name!r} is no name for a lab: letters, digits, '_', '.', '-'")
    return name


def boot(
    image: Image, name: str, options: Options | None = None, *, progress: Progress = silent,
    timeout: float = BOOT_TIMEOUT, seal: bool = False,
) -> Lab:  # fmt: skip
    """Start a machine from an image and wait until dom0 runs commands; `seal` writes to the image itself."""
    with _claimed(name) as folder:
        try:
            lab = _start(image, folder, options or Options(), seal)
            _wait(lab, timeout, progress)
        except BaseException:
            remove(folder)
            raise
        return lab


@contextmanager
def _claimed(name: str) -> Iterator[Path]:
    """A new run folder, locked while the lab boots; what a dead lab of this name left is removed."""
    folder = run_folder() / name
    if folder.exists():
        with _locked(folder):
            if process.pid_of(folder) is not None:
                raise LabExists(f"the lab {name} is up")
            shutil.rmtree(folder)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        raise LabExists(f"the lab {name} is being brought up") from None
    with _locked(folder):
        yield folder


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """The folder's own lock: a lock file beside it would be left over."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise LabExists(f"the lab {folder.name} is being brought up") from None
    finally:
        os.close(handle)


def _start(image: Image, folder: Path, options: Options, seal: bool) -> Lab:
    share = folder / "share"
    share.mkdir()
    (share / "token").write_text(secrets.token_hex(16))
    missing = deps.copy(share / "site")
    program, project = tools.find("qemu-system-aarch64"), deps.project_root()
    port = process.start(lambda port: qemu.command(program, image, options, folder, project, port, writable=seal))
    lab = Lab(folder.name, image.suite, folder, port, options, tuple(missing))
    lab._save()
    return lab


def _wait(lab: Lab, timeout: float, progress: Progress) -> None:
    """Until a command answers: the user-mode network accepts connections long before dom0 does."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        progress(f"{lab.name.strip('.')}: boot", None)
        if lab.pid is None:
            raise BootFailed(f"the machine of lab {lab.name} ended while booting: {_log_end(lab)}")
        try:
            client.run(lab.address, ["/bin/true"], patience=2.0)
            return
        except Disconnected:
            time.sleep(0.2)
    raise BootFailed(f"lab {lab.name} did not come up in {timeout:.0f} s: {_log_end(lab)}")


def _log_end(lab: Lab) -> str:
    try:
        lines = lab.console_log.read_text(errors="replace").splitlines()
    except OSError:
        return "it has no serial log"
    return "the end of its serial log:\n" + "\n".join(lines[-25:])


def _load(path: Path) -> Lab:
    state = json.loads(path.read_text())
    options, missing = Options(**state["options"]), tuple(state["missing"])
    return Lab(path.parent.name, state["suite"], path.parent, state["port"], options, missing)
