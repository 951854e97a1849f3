"""The configurations whose device trees and store nodes xl makes for the goldens, as xl.cfg settings by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.lab.dom0 import KERNEL, KERNEL32, RAMDISK, RAMDISK32, literal

HERE = Path(__file__).resolve().parent
PARTIAL_SOURCE = HERE / "partial.dts"
PARTIAL, GZIP32 = "/srv/guest/partial.dtb", "/srv/guest/zImage-32.gz"

Settings = dict[str, Any]

_BASE: Settings = {
    "name": "golden",
    "kernel": KERNEL,
    "ramdisk": RAMDISK,
    "cmdline": "console=hvc0",
    "memory": 256,
    "vcpus": 1,
}
_ON_32_BITS: Settings = {"kernel": KERNEL32, "ramdisk": RAMDISK32}
# libxl's first draft of a tree with 29 vCPUs fills its page with a command line of this length.
_PAGE_FULL = "console=hvc0 quiet".ljust(47, "x")

_CHANGES: dict[str, Settings] = {
    "plain": {},
    "no-ramdisk": {"ramdisk": None},
    "no-cmdline": {"cmdline": None},
    "cmdline-as-bytes": {"cmdline": 'a="b c" d=\\e f=é ,;'},
    "root-and-extra": {"cmdline": None, "root": "/dev/xvda1", "extra": "ro quiet"},
    "2-vcpus-of-4": {"vcpus": 2, "maxvcpus": 4},
    "17-vcpus": {"vcpus": 17},
    "128-vcpus": {"vcpus": 128},
    "bank-0-full": {"memory": 3072},
    "bank-1-begun": {"memory": 3073},
    "two-banks": {"memory": 4608, "vcpus": 2},
    "small": {"memory": 96},
    "small-without-ramdisk": {"memory": 96, "ramdisk": None},
    "least-for-behind-128-mib": {"memory": 129},
    "small-draft-fills-page": {"memory": 96, "vcpus": 29, "cmdline": _PAGE_FULL},
    "small-draft-overflows-page": {"memory": 96, "vcpus": 29, "cmdline": _PAGE_FULL + "x"},
    "vuart": {"vuart": "sbsa_uart"},
    "32-bit": {**_ON_32_BITS, "vcpus": 2},
    "32-bit-small-vuart": {**_ON_32_BITS, "memory": 64, "vuart": "sbsa_uart"},
    "32-bit-gzip": {**_ON_32_BITS, "kernel": GZIP32, "memory": 48},
    "partial-tree": {"device_tree": PARTIAL},
    "all-at-once": {"memory": 4096, "vcpus": 8, "vuart": "sbsa_uart", "device_tree": PARTIAL, "nr_spis": 40},
}
TREES: dict[str, Settings] = {name: {**_BASE, **change} for name, change in _CHANGES.items()}
"""Device trees are compared for each of these."""

TREES_LIVE = (
    "plain",
    "two-banks",
    "small-draft-overflows-page",
    "32-bit-small-vuart",
    "32-bit-gzip",
    "all-at-once",
)
"""Those whose trees are looked up in guest memory too, which takes a while each."""

TREES_GICV2 = ("plain", "no-ramdisk", "2-vcpus-of-4", "two-banks", "small", "32-bit", "vuart", "all-at-once")
"""Those that are made on a host with a GICv2 as well, where a guest has at most 8 vCPUs."""

DISK, DISK2 = "/srv/disks/golden.img", "/srv/disks/golden-2.img"
UUID = "5a1e6ff2-0c5c-4a5a-9d5d-7c43ad0b5a11"

STORES: dict[str, Settings] = {
    "bare": {**_BASE, "uuid": UUID},
    "devices": {
        **_BASE,
        "uuid": UUID,
        "vcpus": 2,
        "maxvcpus": 3,
        "vuart": "sbsa_uart",
        "disk": [f"{DISK},raw,xvda,rw"],
        "vif": ["mac=00:16:3e:11:22:33,bridge=xenbr0"],
    },
    "options": {
        **_BASE,
        "uuid": UUID,
        "disk": [
            f"format=raw,vdev=xvda,access=ro,target={DISK}",
            f"format=raw,vdev=hdb,access=rw,no-discard,direct-io-safe,target={DISK2}",
        ],
        "vif": [
            "mac=00:16:3e:11:22:34,ip=10.0.0.9,rate=10Mb/s@20ms,mtu=1400,type=vif,model=rtl8139",
            "mac=00:16:3e:11:22:35,bridge=xenbr0,mtu=1400,vifname=golden0",
        ],
    },
}
"""What xl leaves in the store is compared for each of these, while the guest is paused."""

STORES_RUNNING = ("devices",)
"""And for these once the guest runs, too."""


def text(settings: Settings) -> str:
    """Settings as an xl.cfg; those that are None are left out."""
    return "".join(f"{key} = {literal(value)}\n" for key, value in settings.items() if value is not None)
