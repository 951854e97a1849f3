"""Plans as text and as JSON, for a host that is not here: the same on every machine.

`python -m tests.golden.test_plan` makes the files anew; read the difference.
"""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path

import pytest

from xenvm.cli import plan
from xenvm.host.plumbing import vifscript
from xenvm.ops.create import Options

FOLDER = Path(__file__).parent / "plan"
CASES = {
    "guest-4.17-gicv2.txt": plan.Wanted(xen="4.17", gic="v2"),
    "guest-4.20-gicv3.json": plan.Wanted(xen="4.20", as_json=True, only="summary,memory,hypercalls,dom0"),
    "guest-4.22-32bit-memory-and-tree.txt": plan.Wanted(xen="4.22", bits=32, only="memory,dts"),
    "guest-4.20-tree.dts": plan.Wanted(xen="4.20", only="dts"),
}


def printed(wanted: plan.Wanted) -> str:
    """What is printed for the folder's configuration, whose files are nowhere."""
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()):
        code = plan.show(str(FOLDER / "guest.cfg"), (), Options(), wanted)
    assert code == 0
    return out.getvalue()


@pytest.mark.parametrize("name", CASES)
def test_plans(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vifscript, "needs_script", lambda bridge, ip: None)
    assert printed(CASES[name]).splitlines() == (FOLDER / name).read_text().splitlines()


if __name__ == "__main__":
    vifscript.needs_script = lambda bridge, ip: None
    for name, wanted in CASES.items():
        (FOLDER / name).write_text(printed(wanted))
        print(name, file=sys.stderr)
