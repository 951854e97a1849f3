from __future__ import annotations

from pathlib import Path

import pytest

from xenvm.errors import HostError
from xenvm.host.plumbing import domids
from xenvm.types import Domid


def test_no_history(tmp_path: Path) -> None:
    assert domids.recent(str(tmp_path / "none")) == frozenset()


def test_remember_writes_libxls_lines(tmp_path: Path) -> None:
    domids.remember(Domid(3), str(tmp_path), lambda: 100.9)
    domids.remember(Domid(4), str(tmp_path), lambda: 101.0)
    assert (tmp_path / "domid-history").read_text() == "100 3\n101 4\n"
    assert [p.name for p in tmp_path.iterdir()] == ["domid-history"]


@pytest.mark.parametrize(("age", "is_recent"), [(0, True), (60, True), (61, False)])
def test_young_entries_stand(tmp_path: Path, age: int, is_recent: bool) -> None:
    domids.remember(Domid(3), str(tmp_path), lambda: 100.0)
    assert domids.recent(str(tmp_path), lambda: 100.0 + age) == (frozenset({3}) if is_recent else frozenset())


def test_remember_drops_old_entries(tmp_path: Path) -> None:
    domids.remember(Domid(3), str(tmp_path), lambda: 100.0)
    domids.remember(Domid(4), str(tmp_path), lambda: 200.0)
    assert (tmp_path / "domid-history").read_text() == "200 4\n"


@pytest.mark.parametrize("line", ["", "100", "100 0", "100 32752", "100 -3", "x 3", "100 3 3", "900 3", "\xff 3"])
def test_tolerates_other_lines(tmp_path: Path, line: str) -> None:
    (tmp_path / "domid-history").write_bytes(line.encode("latin-1") + b"\n100 5\n")
    assert domids.recent(str(tmp_path), lambda: 100.0) == {5}


@pytest.mark.parametrize(("text", "is_recent"), [("5", False), ("0x20", True), ("junk", True), ("", True)])
def test_timeout_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, is_recent: bool
) -> None:
    monkeypatch.setenv("LIBXL_DOMID_REUSE_TIMEOUT", text)
    domids.remember(Domid(3), str(tmp_path), lambda: 100.0)
    assert (3 in domids.recent(str(tmp_path), lambda: 110.0)) is is_recent


def test_names_a_history_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "domid-history").mkdir()
    with pytest.raises(HostError, match="the domid history cannot be read"):
        domids.recent(str(tmp_path))
