"""libxl's record of a configuration. What is expected was read from files that `xl create` left, on Xen 4.17."""

from __future__ import annotations

import json
from typing import Any

from xenvm.guest.libxl_json import record
from xenvm.guest.load import load_text

UUID = "86e2c5f8-8460-4233-94a2-041a54e6682c"
PLAIN = f"""name = "jx"
uuid = "{UUID}"
kernel = "/srv/guest/Image"
memory = 128
"""


def recorded(*lines: str) -> dict[str, Any]:
    spec, diagnostics = load_text(PLAIN + "\n".join(lines), "guest.cfg")
    assert not diagnostics
    found: dict[str, Any] = json.loads(record(spec))
    return found


def test_a_guest_with_disks_and_vifs() -> None:
    assert recorded(
        'ramdisk = "/srv/guest/initrd.gz"',
        "vcpus = 1",
        "maxvcpus = 2",
        'cpus = "0-1"',
        'cmdline = "console=hvc0"',
        'on_crash = "preserve"',
        'disk = ["/srv/disks/j.img,raw,xvda,rw", "/srv/disks/j2.img,raw,xvdb,ro"]',
        'vif = ["bridge=xenbr0,mac=00:16:3e:11:22:33,rate=1MB/s,script=vif-bridge", "mtu=1400"]',
        'vuart = "sbsa_uart"',
        "max_grant_frames = 32",
    ) == {
        "c_info": {"type": "pvh", "name": "jx", "uuid": UUID, "run_hotplug_scripts": "True"},
        "b_info": {
            "max_vcpus": 2,
            "avail_vcpus": [0],
            "vcpu_hard_affinity": [[0, 1], [0, 1]],
            "max_memkb": 131072,
            "target_memkb": 131072,
            "video_memkb": 0,
            "max_grant_frames": 32,
            "acpi": "False",
            "sched_params": {},
            "kernel": "/srv/guest/Image",
            "cmdline": "console=hvc0",
            "ramdisk": "/srv/guest/initrd.gz",
            "type.pvh": {},
            "arch_arm": {"vuart": "sbsa_uart"},
            "arch_x86": {},
        },
        "disks": [
            {"pdev_path": "/srv/disks/j.img", "vdev": "xvda", "format": "raw", "readwrite": 1},
            {"pdev_path": "/srv/disks/j2.img", "vdev": "xvdb", "format": "raw"},
        ],
        "nics": [
            {
                "devid": 0,
                "mac": "00:16:3e:11:22:33",
                "bridge": "xenbr0",
                "script": "vif-bridge",
                "nictype": "vif",
                "rate_bytes_per_interval": 50000,
                "rate_interval_usecs": 50000,
            },
            {"devid": 1, "mtu": 1400, "nictype": "vif"},
        ],
        "on_reboot": "restart",
        "on_crash": "preserve",
        "on_soft_reset": "soft_reset",
    }


def test_what_only_some_guests_have() -> None:
    found = recorded(
        'irqs = [40, "41"]',
        'iomem = ["9000,1@22000"]',
        'dtdev = ["/soc/uart"]',
        'gic_version = "v3"',
        "nr_spis = 100",
        "max_event_channels = 2000",
        "shadow_memory = 8",
        'on_poweroff = "rename-restart"',
        'pool = "fast"',
        'passthrough = "enabled"',
        'disk = ["phy:/dev/vg/x,hda:cdrom,r"]',
    )
    assert found["b_info"]["irqs"] == [40, 41]
    assert found["b_info"]["iomem"] == [{"start": 0x9000, "number": 1, "gfn": 0x22000}]
    assert found["dtdevs"] == [{"path": "/soc/uart"}]
    assert found["b_info"]["arch_arm"] == {"gic_version": "v3", "nr_spis": 100}
    assert (found["b_info"]["event_channels"], found["b_info"]["shadow_memkb"]) == (2000, 8192)
    assert found["c_info"]["pool_name"] == "fast"
    assert found["c_info"]["passthrough"] == "share_pt"
    assert found["on_poweroff"] == "restart_rename"
    assert found["disks"][0]["is_cdrom"] == 1


def test_texts_are_escaped() -> None:
    command = 'root="/dev/xvda" path=\\ \t\x7fü'
    spec, _ = load_text(PLAIN, "guest.cfg")
    assert json.loads(record(spec.replace(cmdline=command)))["b_info"]["cmdline"] == command
