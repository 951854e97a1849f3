"""Run in a lab's dom0: ``facts KERNEL... RAMDISK...`` as JSON, or the tree in a guest's memory, in hexadecimal."""

from __future__ import annotations

import json
import sys
from typing import Any

from xenvm.errors import ImageError
from xenvm.guest.blueprint import random_uuid
from xenvm.guest.image import open_kernel, open_ramdisk
from xenvm.host.hyper import CreateRequest
from xenvm.host.open import open_host
from xenvm.ops.create import facts_of
from xenvm.types import PAGE_SHIFT, PAGE_SIZE, Domid, Gfn


def facts(paths: list[str]) -> dict[str, Any]:
    """What this host does to a guest's device tree, and what these images are."""
    with open_host() as host:
        found = facts_of(host.hyper)
        created = host.hyper.create(CreateRequest(uuid=random_uuid(), max_vcpus=1))
        host.hyper.destroy(created.domid)
    return {
        "xen": found.release,
        "gic": created.gic_version,
        "gpaddr_bits": found.gpaddr_bits,
        "clock_frequency": created.clock_frequency,
        "images": {path: _image(path) for path in paths},
    }


def _image(path: str) -> dict[str, int]:
    try:
        kernel = open_kernel(path)
    except ImageError:
        return {"size": open_ramdisk(path).size}
    return {"size": kernel.size, "bits": kernel.bits, "load": kernel.load}


def memory(domid: int, address: int) -> bytes:
    """The device tree that begins at a guest-physical address."""
    with open_host() as host:
        first = Gfn(address >> PAGE_SHIFT)
        with host.hyper.map_foreign(Domid(domid), first, 1) as page:
            size = int.from_bytes(page.view[4:8], "big")
        with host.hyper.map_foreign(Domid(domid), first, -(-size // PAGE_SIZE)) as pages:
            return bytes(pages.view[:size])


if __name__ == "__main__":
    verb, *words = sys.argv[1:]
    print(json.dumps(facts(words)) if verb == "facts" else memory(int(words[0]), int(words[1])).hex())
