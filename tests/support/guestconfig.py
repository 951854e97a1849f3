"""The guest that most tests create, as xl.cfg text."""

from __future__ import annotations

UUID = "11111111-2222-3333-4444-555555555555"
MAC = "00:16:3e:11:22:33"


def config_text(kernel: str, ramdisk: str | None, disk: str, settings: dict[str, object]) -> str:
    """64 MiB, one disk and one vif, changed by `settings`; None leaves a setting out."""
    values: dict[str, object] = {
        "name": "g",
        "uuid": UUID,
        "kernel": kernel,
        "ramdisk": ramdisk,
        "memory": 64,
        "disk": [f"{disk},raw,xvda,rw"],
        "vif": [f"mac={MAC},bridge=xenbr0"],
        **settings,
    }
    return "".join(f"{key} = {value!r}\n" for key, value in values.items() if value is not None)
