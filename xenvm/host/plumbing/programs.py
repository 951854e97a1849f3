"""Where Xen's own programs are, which no shell finds: ``LIBEXEC_BIN`` of the build, and each system has its own."""

from __future__ import annotations

import os

PLACES = (
    *("/usr/libexec/xen/bin", "/usr/lib/xen/bin", "/usr/lib/xen-common/bin"),
    *("/usr/local/libexec/xen/bin", "/usr/local/lib/xen/bin"),
)
"""Debian has one folder for each release of Xen besides, which is looked at first."""


def places(release: tuple[int, int]) -> tuple[str, ...]:
    """All folders, in the order in which they are looked at; `release` is Xen's."""
    return ("/usr/lib/xen-{}.{}/bin".format(*release), *PLACES)


def find(name: str, release: tuple[int, int]) -> str | None:
    """The path of a program; one that has a folder already is looked for there only."""
    paths = [name] if name.startswith("/") else [os.path.join(place, name) for place in places(release)]
    return next((path for path in paths if os.access(path, os.X_OK)), None)
