"""Packages from Debian's archive, by an apt with a state of its own: the machine's own is never touched."""

from __future__ import annotations

import fnmatch
import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from xenvm.lab import sources, suites, tools
from xenvm.lab.errors import BuildFailed
from xenvm.lab.progress import Progress

# The machine's hooks and sandbox user have no business in a folder of an ordinary user.
_CONFIG = """\
#clear APT::Update;
#clear APT::Architectures;
#clear DPkg::Post-Invoke;
APT::Architecture "arm64";
APT::Architectures {{ "arm64"; "{arch32}"; }};
APT::Sandbox::User "";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::Retries "3";
Dir::State "{state}";
Dir::State::status "/dev/null";
Dir::State::Lists "{state}/lists";
Dir::Cache "{state}/cache";
Dir::Log "{state}/log";
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "{state}/sources.d";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
"""
_URI_LINE = re.compile(r"'[^']*' (?P<file>\S+_\S+_\S+\.deb) (?P<size>\d+) ")


@dataclass(frozen=True, slots=True, order=True)
class Package:
    """One version of a package; `size` in bytes."""

    name: str
    version: str
    arch: str
    file: str
    size: int

    @property
    def spec(self) -> str:
        """As apt wants it named."""
        return f"{self.name}{'' if self.arch == 'all' else ':' + self.arch}={self.version}"


class Archive:
    """A suite of the archive, as seen through a private apt in `folder`."""

    def __init__(self, suite: suites.Suite, folder: Path, *, mirror: str | None = None) -> None:
        self.suite, self.state, self.debs = suite, folder / "apt", folder / "debs"
        self.config = self.state / "apt.conf"
        for part in ("lists/partial", "cache/archives/partial", "sources.d", "log"):
            (self.state / part).mkdir(parents=True, exist_ok=True)
        self.debs.mkdir(exist_ok=True)
        self.config.write_text(_CONFIG.format(state=self.state, arch32=suites.GUEST32_ARCH))
        found = sources.for_suite(suite.name, mirror=mirror)
        (self.state / "sources.d/lab.sources").write_text("\n".join(map(self._stanza, found)))

    def _stanza(self, source: sources.Source) -> str:
        """The 32-bit guest comes from the suite itself: an older suite's updates may lack its architecture."""
        second = suites.GUEST32_ARCH if source.suite == self.suite.name else ""
        return source.stanza(f"arm64 {second}".strip())

    def update(self, progress: Progress) -> None:
        """Fetch the package lists."""
        self._watched(["update"], progress, f"{self.suite.name}: package lists")

    def solve(self) -> list[Package]:
        """Everything that the lab unpacks: dom0's packages with dependencies, and the 32-bit guest's."""
        wanted = [p for p in self._uris(["install", *self.suite.packages]) if not _is_unwanted(p.name)]
        return sorted([*wanted, *self._guest32()])

    def fetch(self, packages: Iterable[Package], progress: Progress) -> None:
        """Download what is not there yet into :attr:`debs`, and drop older versions."""
        packages = list(packages)
        missing = [p for p in packages if not self._has(p)]
        if missing:
            label = f"{self.suite.name}: download {sum(p.size for p in missing) / 1e6:.0f} MB"
            self._watched(["download", *(p.spec for p in missing)], progress, label)
        keep = {p.file for p in packages}
        for path in self.debs.iterdir():
            if path.name not in keep:
                path.unlink()
        for package in packages:
            if not self._has(package):
                raise BuildFailed(f"apt did not fetch {package.file}")

    def path(self, package: Package) -> Path:
        """Where a fetched package lies."""
        return self.debs / package.file

    def _has(self, package: Package) -> bool:
        path = self.path(package)
        return path.is_file() and path.stat().st_size == package.size

    def _guest32(self) -> list[Package]:
        arch = suites.GUEST32_ARCH
        shown = self._apt("apt-cache", ["show", "--no-all-versions", f"{suites.GUEST32_KERNEL}:{arch}"])
        match = re.search(r"^Depends:.*?(linux-image-[^\s,]+)", shown, re.M)
        if match is None:
            raise BuildFailed(f"{suites.GUEST32_KERNEL} names no kernel")
        return self._uris(["download", f"{match[1]}:{arch}", f"{suites.GUEST32_USER}:{arch}"])

    def _uris(self, command: Sequence[str]) -> list[Package]:
        text = self._apt("apt-get", ["-y", "--print-uris", *command])
        return [_package(m["file"], int(m["size"])) for m in _URI_LINE.finditer(text)]

    def _apt(self, program: str, arguments: Sequence[str]) -> str:
        # Not in the packages' folder: apt tells no address of what lies there already.
        return tools.run([program, "-c", self.config, *arguments], cwd=self.state)

    def _watched(self, command: Sequence[str], progress: Progress, label: str) -> None:
        """Run apt-get and turn its status pipe into progress."""
        progress(label, 0.0)
        read, write = os.pipe()
        argv = [tools.find("apt-get"), "-c", str(self.config), "-q", "-o", f"APT::Status-Fd={write}", *command]
        with (self.state / "log/apt-get").open("w+") as log:
            process = subprocess.Popen(
                argv, cwd=self.debs, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[write]
            )
            os.close(write)
            try:
                with os.fdopen(read) as status:
                    for line in status:
                        progress(label, _percent(line))
                failed = process.wait() != 0
            except BaseException:
                process.terminate()
                process.wait()
                raise
            log.seek(0)
            text = log.read()
        # An unreachable mirror is only a warning to `update`, which then goes on with nothing.
        if failed or re.search(r"^(E|Err):|Failed to fetch", text, re.M):
            raise BuildFailed(f"apt-get {command[0]} failed: {text.strip()[-1500:]}")


def _package(file: str, size: int) -> Package:
    name, version, arch = unquote(file).removesuffix(".deb").split("_")
    return Package(name, version, arch, file, size)


def _percent(line: str) -> float | None:
    """The fraction of a ``dlstatus:COUNT:PERCENT:TEXT`` line."""
    fields = line.split(":")
    try:
        return float(fields[2]) / 100
    except (IndexError, ValueError):
        return None


def _is_unwanted(name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in suites.UNWANTED)
