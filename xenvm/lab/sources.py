"""Which Debian mirror to use: that of the machine's own apt, or, on another distribution, debootstrap's default."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from xenvm.lab.errors import MirrorUnknown

MIRROR_VARIABLE = "XENVM_LAB_MIRROR"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

DEBOOTSTRAP = Path("/usr/sbin/debootstrap")

_DEFAULT_MIRROR = re.compile(r'^DEF_MIRROR="(\w+://[^"]*debian[^"]*)"', re.M)
_DEBIAN_SUITES = "bullseye|bookworm|trixie|forky|duke|sid|oldstable|stable|testing|unstable"
_DEBIAN = re.compile(rf"({_DEBIAN_SUITES})(-updates|-security)?")
_ONE_LINE = re.compile(r"deb\s+(?:\[(?P<options>[^]]*)\]\s*)?(?P<uri>\S+)\s+(?P<suite>\S+)\s*(?P<components>.*)")


@dataclass(frozen=True, slots=True)
class Source:
    """One archive: an address, a suite, and what its signature is checked with (a path or a key)."""

    uri: str
    suite: str
    components: tuple[str, ...] = ("main",)
    signed_by: str = ""

    def stanza(self, architectures: str) -> str:
        """The deb822 text for apt; only ``main`` is asked for, of `architectures` (separated by spaces)."""
        return (
            f"Types: deb\nURIs: {self.uri}\nSuites: {self.suite}\nComponents: main\n"
            f"Architectures: {architectures}\nSigned-By: {self.signed_by or KEYRING}\n"
        )


def for_suite(
    suite: str, *, mirror: str | None = None, etc: Path = Path("/etc/apt"), debootstrap: Path = DEBOOTSTRAP
) -> list[Source]:
    """The archives of `suite`: of `mirror` or $XENVM_LAB_MIRROR, or else derived from the machine's apt."""
    mirror = mirror or os.environ.get(MIRROR_VARIABLE)
    if mirror:
        return [Source(mirror, suite)]
    found = {}
    for source in filter(_is_debian, machine_sources(etc)):
        match = _DEBIAN.fullmatch(source.suite)
        assert match is not None
        moved = Source(source.uri, suite + (match[2] or ""), signed_by=source.signed_by)
        found[moved.uri, moved.suite] = moved
    # Updates alone are no archive: without the suite itself nothing resolves.
    if any(source.suite == suite for source in found.values()):
        return list(found.values())
    default = debootstrap_mirror(debootstrap)
    if default is None:
        raise MirrorUnknown(
            f"this machine's apt names no Debian mirror: install the package debootstrap, which knows one,"
            f" or set {MIRROR_VARIABLE} to the address of one"
        )
    return [Source(default, suite)]


def debootstrap_mirror(script: Path = DEBOOTSTRAP) -> str | None:
    """The Debian mirror that debootstrap uses when it is told none, None if it is not installed."""
    if not script.is_file():
        return None
    match = _DEFAULT_MIRROR.search(script.read_text(errors="replace"))
    return match[1] if match else None


def machine_sources(etc: Path) -> Iterator[Source]:
    """All binary archives of the machine's apt, in both of its formats."""
    for path in sorted([etc / "sources.list", *(etc / "sources.list.d").glob("*")]):
        if not path.is_file():
            continue
        if path.suffix == ".list":
            yield from _one_line_format(path.read_text(errors="replace"))
        elif path.suffix == ".sources":
            yield from _deb822_format(path.read_text(errors="replace"))


def _is_debian(source: Source) -> bool:
    """Other vendors use Debian's suite names too; their own keyrings tell them apart."""
    if not _DEBIAN.fullmatch(source.suite) or "main" not in source.components:
        return False
    if source.uri.startswith("cdrom:"):
        return False
    if "\n" in source.signed_by:
        return "debian" in source.uri
    return not source.signed_by or "debian-archive" in source.signed_by


def _one_line_format(text: str) -> Iterator[Source]:
    for line in text.splitlines():
        match = _ONE_LINE.fullmatch(line.partition("#")[0].strip())
        if match:
            options = dict(o.partition("=")[::2] for o in (match["options"] or "").split())
            yield Source(match["uri"], match["suite"], tuple(match["components"].split()), options.get("signed-by", ""))


def _deb822_format(text: str) -> Iterator[Source]:
    for stanza in re.split(r"\n\s*\n", text):
        fields = _fields(stanza)
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes") == "no":
            continue
        components = tuple(fields.get("components", "").split())
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield Source(uri, suite, components, fields.get("signed-by", ""))


def _fields(stanza: str) -> dict[str, str]:
    """A stanza's fields by lower-case name; a key's continuation lines stay as they are."""
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line.startswith("#"):
            continue
        if line[:1].isspace() and name:
            fields[name] += "\n" + line
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields
