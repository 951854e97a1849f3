"""Programs of the host: which Debian package brings each, and running them without a shell."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from xenvm.lab.errors import BuildFailed, ToolMissing

PACKAGES = {
    "apt-cache": "apt",
    "apt-get": "apt",
    "depmod": "kmod",
    "dpkg-deb": "dpkg",
    "fakeroot": "fakeroot",
    "mke2fs": "e2fsprogs",
    "qemu-system-aarch64": "qemu-system-arm",
    "tar": "tar",
}
# An ordinary user's PATH lacks the folders of mke2fs and depmod.
_ADMIN_FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin"


def find(program: str) -> str:
    """The program's full path; :class:`ToolMissing` names its package."""
    path = shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:{_ADMIN_FOLDERS}")
    if path is None:
        raise ToolMissing(program, PACKAGES.get(program, program))
    return path


def require(programs: Sequence[str]) -> None:
    """Fail before any work if one of the programs is missing."""
    for program in programs:
        find(program)


def run(argv: Sequence[str | Path], *, cwd: Path | None = None) -> str:
    """Run a program of the host and return its output; its complaint becomes the error."""
    command = [find(str(argv[0])), *map(str, argv[1:])]
    done = subprocess.run(
        command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
        env={**os.environ, "LC_ALL": "C"},
    )  # fmt: skip
    if done.returncode != 0:
        raise BuildFailed(f"{argv[0]} failed ({done.returncode}): {done.stderr.strip()[-1500:]}")
    return done.stdout


def pipe(first: Sequence[str | Path], second: Sequence[str | Path]) -> None:
    """Run ``first | second``; the first one's failure is told before the second one's."""
    source = subprocess.Popen(
        [find(str(first[0])), *map(str, first[1:])], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    sink = subprocess.run(
        [find(str(second[0])), *map(str, second[1:])], stdin=source.stdout, capture_output=True, text=True
    )
    assert source.stdout is not None
    source.stdout.close()
    if source.wait() not in (0, -13):
        raise BuildFailed(f"{first[0]} failed on {first[-1]}")
    if sink.returncode != 0:
        raise BuildFailed(f"{second[0]} failed: {sink.stderr.strip()[-1500:]}")
