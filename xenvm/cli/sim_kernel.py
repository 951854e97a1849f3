"""sim-kernel: a file that simulated guests boot, where no kernel is at hand."""

from __future__ import annotations

from xenvm.errors import HostError
from xenvm.host.sim.image_file import arm64_image


def sim_kernel(file: str) -> None:
    """Writes it. What is there already is left alone: it could be somebody's kernel."""
    image = arm64_image()
    try:
        with open(file, "xb") as new:
            new.write(image)
    except FileExistsError:
        if not _has(file, image):
            raise HostError(f"{file} is there already, and is something else") from None


def _has(file: str, content: bytes) -> bool:
    with open(file, "rb") as old:
        return old.read(len(content) + 1) == content
