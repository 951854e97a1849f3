"""Which vifs need the bash script."""

from __future__ import annotations

from pathlib import Path

import pytest

from xenvm.host.plumbing import vifscript
from xenvm.host.plumbing.vifscript import needs_script


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(vifscript, "_FILTER_ALL", str(tmp_path / "all"))
    monkeypatch.setattr(vifscript, "_FILTER_ONE", str(tmp_path / "{}"))
    monkeypatch.setattr(vifscript, "_HOOKS", str(tmp_path / "hooks"))
    (tmp_path / "hooks").mkdir()
    return tmp_path


def test_no_script_needed(host: Path) -> None:
    (host / "all").write_text("0\n")
    assert needs_script("xenbr0", None) is None
    (host / "hooks").rmdir()
    assert needs_script("xenbr0", "") is None


def test_script_needed_for_addresses(host: Path) -> None:
    assert needs_script("xenbr0", "10.0.0.5") == "its addresses are restricted by ip="


@pytest.mark.parametrize("name", ["all", "xenbr0"])
def test_script_needed_for_bridge_filtering(host: Path, name: str) -> None:
    (host / name).write_text("1\n")
    assert needs_script("xenbr0", None) == "iptables filters bridged traffic on this host"


@pytest.mark.parametrize(
    ("name", "mode", "text", "needed"),
    [
        ("10-mine.hook", 0o755, "# mine\nlogger $dev\n", True),
        ("10-mine.hook", 0o644, "logger $dev\n", False),
        ("10-mine.bak", 0o755, "logger $dev\n", False),
        ("00-vif-local.hook", 0o755, "#=====\n# comments\n\n  # only\n", False),
    ],
)
def test_script_needed_for_hooks(host: Path, name: str, mode: int, text: str, needed: bool) -> None:
    (host / "hooks" / name).write_text(text)
    (host / "hooks" / name).chmod(mode)
    assert (needs_script("xenbr0", None) is not None) is needed
