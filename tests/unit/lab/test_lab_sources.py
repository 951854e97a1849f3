"""The mirror comes from the machine's own apt, or from a variable."""

from pathlib import Path

import pytest

from xenvm.lab import sources
from xenvm.lab.errors import MirrorUnknown

DEB822 = """\
Types: deb
# a comment
URIs: http://mirror.invalid/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb deb-src
URIs: http://mirror.invalid/debian-security
Suites: bookworm-security
Components: main

Types: deb
Enabled: no
URIs: http://off.invalid/debian
Suites: bookworm
Components: main
"""


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(sources.MIRROR_VARIABLE, raising=False)
    (tmp_path / "sources.list.d").mkdir()
    return tmp_path


def addresses(found: list[sources.Source]) -> list[tuple[str, str]]:
    return [(source.uri, source.suite) for source in found]


def test_deb822_sources_are_moved_to_the_asked_suite(etc: Path) -> None:
    (etc / "sources.list.d/debian.sources").write_text(DEB822)
    found = sources.for_suite("trixie", etc=etc)
    assert addresses(found) == [
        ("http://mirror.invalid/debian", "trixie"),
        ("http://mirror.invalid/debian", "trixie-updates"),
        ("http://mirror.invalid/debian-security", "trixie-security"),
    ]
    assert found[0].signed_by.endswith("debian-archive-keyring.gpg")


def test_one_line_sources(etc: Path) -> None:
    (etc / "sources.list").write_text(
        "# deb http://no.invalid/debian bookworm main\n"
        "deb [arch=amd64 signed-by=/k/debian-archive-keyring.gpg] http://m.invalid/debian trixie main # here\n"
        "deb-src http://m.invalid/debian trixie main\n"
    )
    assert addresses(sources.for_suite("bookworm", etc=etc)) == [("http://m.invalid/debian", "bookworm")]


def test_an_embedded_key_is_kept_as_it_is(etc: Path) -> None:
    key = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n -----END PGP PUBLIC KEY BLOCK-----"
    (etc / "sources.list.d/a.sources").write_text(
        f"Types: deb\nURIs: http://m.invalid/debian\nSuites: trixie\nComponents: main\nSigned-By:\n {key}\n"
    )
    (found,) = sources.for_suite("trixie", etc=etc)
    assert key in found.stanza("arm64")


@pytest.mark.parametrize(
    "line",
    [
        "deb http://archive.invalid/ubuntu noble main",
        "deb [signed-by=/usr/share/keyrings/vendor.gpg] http://vendor.invalid/apt bookworm main",
        "deb http://vendor.invalid/linux/debian bookworm stable",
        "deb cdrom:[Debian]/ bookworm main",
        "deb http://m.invalid/debian bookworm-updates main",
    ],
)
def test_other_archives_are_not_debians(etc: Path, line: str) -> None:
    (etc / "sources.list").write_text(f"{line}\n")
    (etc / "sources.list").rename(etc / "sources.list.d/x.list")
    with pytest.raises(MirrorUnknown, match=sources.MIRROR_VARIABLE):
        sources.for_suite("bookworm", etc=etc, debootstrap=etc / "none")


def test_debootstrap_knows_a_mirror_where_apt_has_none(etc: Path) -> None:
    script = etc / "debootstrap"
    script.write_text('VERSION=1\nDEF_MIRROR="http://m.invalid/debian"\nDEF_HTTPS_MIRROR="https://m.invalid/debian"\n')
    assert sources.for_suite("trixie", etc=etc, debootstrap=script) == [
        sources.Source("http://m.invalid/debian", "trixie")
    ]


def test_the_variable_wins(etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(sources.MIRROR_VARIABLE, "http://mine.invalid/debian")
    (found,) = sources.for_suite("bookworm", etc=etc)
    assert found == sources.Source("http://mine.invalid/debian", "bookworm")
    assert f"Signed-By: {sources.KEYRING}\n" in found.stanza("arm64")
