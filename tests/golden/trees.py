"""Device trees by xl and by us for the same configuration and facts, and their goldens: text that dtc made of them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.golden import configs
from tests.golden.configs import GZIP32, HERE, PARTIAL, PARTIAL_SOURCE, Settings
from tests.lab.dom0 import KERNEL, KERNEL32, RAMDISK, RAMDISK32
from xenvm.guest import dtb, image
from xenvm.guest.layout import MemoryLayout
from xenvm.guest.load import load_text
from xenvm.lab import Lab
from xenvm.types import Gpa

Facts = dict[str, Any]
"""xen, gic, gpaddr_bits, clock_frequency; and of the images by path: size, bits, load."""

FOLDER = HERE / "dtb"
DUMP = "/tmp/golden.dtb"
_HEADER = "// "

needs_dtc = pytest.mark.skipif(not shutil.which("dtc"), reason="dtc is not installed: `make setup` does it")


def dtc(data: bytes, source: str, target: str) -> bytes:
    """Converts a tree with the device tree compiler."""
    argv = ["dtc", "-q", "-I", source, "-O", target]
    result = subprocess.run(argv, input=data, capture_output=True)
    assert result.returncode == 0, result.stderr.decode()
    return result.stdout


def source(blob: bytes) -> str:
    """A blob as source, its random seed replaced by as many zeros."""
    text = dtc(blob, "dtb", "dts").decode()
    return re.sub(r"(?<=rng-seed = ).*", lambda seed: re.sub(r"0x[0-9a-f]+", "0x00", seed[0]), text)


def ask_facts(lab: Lab) -> Facts:
    """The facts of a lab's host and of the images in it, which it gets what it still lacks of."""
    lab.write(PARTIAL, dtc(PARTIAL_SOURCE.read_bytes(), "dts", "dtb"))
    lab.run(f"test -e {GZIP32} || gzip -1 -k {KERNEL32}", check=True)
    paths = (KERNEL, KERNEL32, GZIP32, RAMDISK, RAMDISK32)
    facts: Facts = json.loads(in_dom0(lab, "facts", *paths))
    return facts


def in_dom0(lab: Lab, *words: str) -> str:
    """Output of in_dom0.py."""
    return lab.run(["python3", "-m", "tests.golden.in_dom0", *words], cwd="/mnt/xenvm", check=True).stdout


def xl_create(lab: Lab, settings: Settings) -> bytes:
    """Has xl create a guest, paused; the tree that libxl made for it."""
    path = "/root/golden.cfg"
    lab.write(path, configs.text(settings))
    lab.run(["env", f"LIBXL_DEBUG_DUMP_DTB={DUMP}", "xl", "create", "-p", path], check=True, timeout=600)
    return lab.read(DUMP)


def ours(settings: Settings, facts: Facts) -> tuple[MemoryLayout, bytes]:
    """Placement and tree that xenvm makes of the same settings and facts, the seed being zeros."""
    with tempfile.TemporaryDirectory() as folder:
        if "device_tree" in settings:
            partial = Path(folder, "partial.dtb")
            partial.write_bytes(dtc(PARTIAL_SOURCE.read_bytes(), "dts", "dtb"))
            settings = {**settings, "device_tree": str(partial)}
        spec, _ = load_text(configs.text(settings))
        host = dtb.TreeFacts(
            xen=(facts["xen"][0], facts["xen"][1]),
            gic=facts["gic"],
            clock_frequency=facts["clock_frequency"],
            gpaddr_bits=facts["gpaddr_bits"],
            rng_seed=bytes(dtb.SEED_SIZE),
        )
        kernel, ramdisk_size = _kernel(settings["kernel"], facts), _size(settings["ramdisk"], facts)
        return dtb.lay_out(spec, kernel, ramdisk_size, host)[0], dtb.offline_tree(spec, host, kernel, ramdisk_size)


def _kernel(path: str, facts: Facts) -> image.Kernel:
    found = facts["images"][path]
    kernel = image.assumed_kernel(path, found["bits"], found["size"])
    return kernel.replace(load=Gpa(found["load"]))


def _size(path: str | None, facts: Facts) -> int:
    return facts["images"][path]["size"] if path else 0


def golden_text(settings: Settings, facts: Facts, blob: bytes) -> str:
    """A golden: settings and facts in its first line, then the tree."""
    used = {path: found for path, found in facts["images"].items() if path in settings.values()}
    header = json.dumps({"settings": settings, "facts": {**facts, "images": used}}, ensure_ascii=False)
    return f"{_HEADER}{header}\n{source(blob)}"


def read_golden(path: Path) -> tuple[Settings, Facts, str]:
    """Settings, facts and tree of a golden."""
    header, _, text = path.read_text().partition("\n")
    about = json.loads(header.removeprefix(_HEADER))
    return about["settings"], about["facts"], text
