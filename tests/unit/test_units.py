"""The units for systemd, as systemd itself reads them; what they are told while they run is in ops/test_notify.py."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = sorted((Path(__file__).parents[2] / "systemd").iterdir())


@pytest.fixture
def analyze() -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("systemd-analyze, which reads units, is not on this machine")
    return found


def verify(analyze: str, unit: Path, folder: Path, spoilt: str = "") -> str:
    """What systemd has to say of a unit, whose program is one that every machine has."""
    copy = folder / unit.name
    copy.write_text(unit.read_text().replace("/usr/bin/xenvm", "/bin/true") + spoilt)
    result = subprocess.run([analyze, "verify", "--man=no", str(copy)], capture_output=True, text=True, timeout=60)
    # What it says of the machine's own units is not ours.
    said = [line for line in result.stderr.splitlines() if "xenvm" in line]
    return "\n".join(said)


def test_there_are_three() -> None:
    assert [unit.name for unit in UNITS] == ["xenvm-devd.service", "xenvm-supervise.service", "xenvm@.service"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_takes_it(analyze: str, unit: Path, tmp_path: Path) -> None:
    assert verify(analyze, unit, tmp_path) == ""


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_would_say_what_is_wrong(analyze: str, unit: Path, tmp_path: Path) -> None:
    assert "Nonsense" in verify(analyze, unit, tmp_path, "[Service]\nNonsense=1\n")
