"""Built images in the user's cache folder: what one consists of, and which there are."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from xenvm.lab.errors import LabError
from xenvm.lab.progress import Progress
from xenvm.lab.suites import SUITES, Suite

#: Newer and older images of a suite that a build leaves in the cache: a branch's other recipe, for instance.
KEPT = 2


def cache_folder() -> Path:
    """``xenvm/lab`` in the user's cache folder, made if missing."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    folder = Path(base).expanduser() / "xenvm" / "lab"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def suite_named(name: str) -> Suite:
    """A known suite."""
    if name not in SUITES:
        raise LabError(f"unknown suite {name}: there are {', '.join(SUITES)}")
    return SUITES[name]


@dataclass(frozen=True, slots=True)
class Image:
    """A bootable host: hypervisor, dom0's kernel, RAM disk and disk, and the guests' files."""

    path: Path
    suite: str
    recipe: str
    packages: tuple[str, ...]

    @property
    def xen(self) -> Path:
        """The hypervisor."""
        return self.path / "xen"

    @property
    def kernel(self) -> Path:
        """dom0's kernel, an arm64 Image; also the 64-bit guest's."""
        return self.path / "Image"

    @property
    def initrd(self) -> Path:
        """dom0's RAM disk."""
        return self.path / "initrd.gz"

    @property
    def disk(self) -> Path:
        """dom0's root disk, a sparse raw ext4."""
        return self.path / "disk.img"

    @property
    def guests(self) -> Path:
        """The folder with the files that dom0 has in /srv/guest."""
        return self.path / "guest"

    def save(self) -> None:
        """Write what the image is beside its files."""
        value = {"suite": self.suite, "recipe": self.recipe, "packages": self.packages}
        (self.path / "image.json").write_text(json.dumps(value, indent=1))

    @classmethod
    def load(cls, path: Path) -> Image:
        """An image that was saved here."""
        value = json.loads((path / "image.json").read_text())
        return cls(path, value["suite"], value["recipe"], tuple(value["packages"]))


def built(suite: str, folder: Path | None = None) -> list[Image]:
    """The suite's complete images, the newest first."""
    found = ((folder or cache_folder()) / "images").glob(f"{suite}-*/image.json")
    newest = sorted(found, key=lambda p: p.stat().st_mtime, reverse=True)
    return [Image.load(path.parent) for path in newest]


def prune(suite: str) -> None:
    """Remove all but the newest images; a running lab holds its disk open and goes on."""
    for image in built(suite)[KEPT:]:
        shutil.rmtree(image.path, ignore_errors=True)


@contextmanager
def build_lock(suite: str, progress: Progress) -> Iterator[None]:
    """One build of a suite at a time; a second one waits."""
    with (cache_folder() / f"{suite}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress(f"{suite}: wait for another build", None)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
