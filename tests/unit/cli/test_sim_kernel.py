"""xenvm sim-kernel: the file, and that nobody's kernel is lost."""

from __future__ import annotations

from pathlib import Path

from tests.unit.cli.conftest import Xenvm
from xenvm.guest.image import open_kernel
from xenvm.host.sim.image_file import SIZE


def test_it_is_a_kernel_by_its_header(xenvm: Xenvm, tmp_path: Path) -> None:
    path = str(tmp_path / "Image")
    assert xenvm("sim-kernel", path) == (0, "", "")
    kernel = open_kernel(path)
    assert (kernel.bits, kernel.size) == (64, SIZE)
    assert xenvm("sim-kernel", path) == (0, "", ""), "the same again is no trouble"


def test_a_file_that_is_there_is_left_alone(xenvm: Xenvm, tmp_path: Path) -> None:
    path = tmp_path / "vmlinuz"
    path.write_bytes(b"somebody's")
    assert xenvm("sim-kernel", str(path)) == (1, "", f"xenvm: {path} is there already, and is something else\n")
    assert path.read_bytes() == b"somebody's"
    assert xenvm("sim-kernel", str(tmp_path / "no/such"))[0] == 1
