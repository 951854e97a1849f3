"""What xl makes of settings, asked by its dry run, and what we make of them, in one form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.golden.xlcases import cases
from xenvm.guest import libxl_json
from xenvm.guest.cfg import ConfigErrors
from xenvm.guest.load import load_text
from xenvm.lab import Lab

FOLDER = Path(__file__).parent / "xl"
UUID = "11111111-2222-3333-4444-555555555555"
BASE = f"name='g'\nkernel='/srv/guest/Image'\nuuid='{UUID}'\n"
Answer = dict[str, Any] | None
"""What differs from the guest without the setting; None: refused."""

# One process for all: a case a line; between the answers a byte that neither has.
_ASK = r"""
while IFS= read -r line; do
    printf '%s%s\n' "$BASE" "$line" >/run/xlcase.cfg
    xl -N create -q /run/xlcase.cfg 2>/dev/null </dev/null
    printf '\001%d\002' $?
done
rm -f /run/xlcase.cfg
"""


def ask_xl(host: Lab, lines: list[str]) -> list[Answer]:
    """xl's answers, in the order of the lines; about a second each in an emulated dom0."""
    asked = "".join(f"{line}\n" for line in ["", *lines]).encode()
    result = host.run(["bash", "-c", _ASK], stdin=asked, env={"BASE": BASE}, timeout=3600, check=True)
    answers = [answer.rsplit("\1", 1) for answer in result.stdout.split("\2")[:-1]]
    assert len(answers) == len(lines) + 1, result.stderr
    base = _config(answers[0][0])
    return [_beyond(_config(text), base) if code == "0" else None for text, code in answers[1:]]


def ours(line: str) -> Answer:
    """Our answer to the same."""
    base = _record("")
    assert base is not None
    found = _record(line)
    return None if found is None else _beyond(found, base)


def _record(line: str) -> dict[str, Any] | None:
    try:
        spec, _ = load_text(BASE + line + "\n", "case")
    except ConfigErrors:
        return None
    found: dict[str, Any] = json.loads(libxl_json.record(spec))
    return found


def _config(text: str) -> dict[str, Any]:
    """The configuration in what xl prints; 4.17 has it in a list, with a domid."""
    found = json.loads(text)
    found = found[0] if isinstance(found, list) else found
    config: dict[str, Any] = found.get("config", found)
    return config


def _beyond(config: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    flat, plain = _flat(config), _flat(base)
    return {key: flat.get(key) for key in sorted(flat.keys() | plain.keys()) if flat.get(key) != plain.get(key)}


def _flat(config: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for key, value in config.items():
        if isinstance(value, dict):
            found.update({f"{key}.{inner}": item for inner, item in _flat(value).items()})
        else:
            found[key] = value
    return found


def as_text(answers: dict[str, Answer]) -> str:
    """A golden file: a line for each case, one for its answer."""
    return "".join(
        f"{line}\n    {'refused' if answer is None else json.dumps(answer, sort_keys=True)}\n"
        for line, answer in answers.items()
    )


def from_text(text: str) -> dict[str, Answer]:
    """What `as_text` wrote."""
    lines = text.splitlines()
    return {
        line: None if answer == "    refused" else json.loads(answer)
        for line, answer in zip(lines[::2], lines[1::2], strict=True)
    }


def make(host: Lab) -> str:
    """The golden file of one host."""
    lines = list(dict.fromkeys(line for group in cases().values() for line in group))
    return as_text(dict(zip(lines, ask_xl(host, lines), strict=True)))


def meaning(answer: Answer) -> Answer:
    """An answer without what makes no difference: what libxl fills in later, and what stands for the default."""
    if answer is None:
        return None
    found = {key: value for key, value in answer.items() if key not in _LATER}
    for key in _DEVICES:
        if found.get(key):
            found[key] = [_device(key, device) for device in found[key]]
    for key in ("b_info.vcpu_hard_affinity", "b_info.vcpu_soft_affinity"):
        if found.get(key):
            found[key] = [[cpu for cpu in cpus if cpu < _CPUS] for cpus in found[key]]
            if all(cpus == list(range(_CPUS)) for cpus in found[key]):
                del found[key]
    if found.get("b_info.avail_vcpus") == [0]:
        del found["b_info.avail_vcpus"]
    if found.get("c_info.passthrough") == "enabled":
        found["c_info.passthrough"] = "share_pt"
    return found


_CPUS = 2
"""As many as the hosts have that were asked."""
_DEVICES = ("disks", "nics", "channels", "p9s", "vkbs", "vdispls", "virtios", "vsnds", "b_info.iomem")
_LATER = ("b_info.numa_placement", "b_info.acpi", "b_info.target_memkb", "c_info.type", "b_info.max_vcpus")


def _device(kind: str, device: dict[str, Any]) -> dict[str, Any]:
    defaults = {"backend_domname": ("", "0"), "nictype": ("vif",), "pdev_path": ("",), "colo_enable": ("False",)}
    defaults |= {"specification": ("xen",), "devid": (device.get("devid"),) if kind != "nics" else ()}
    defaults |= {"tag": ("Xen",), "type": ("qemu",)} if kind == "p9s" else {}
    if kind == "b_info.iomem":
        return {"gfn": device["start"], **device}
    return {key: value for key, value in device.items() if value not in defaults.get(key, ())}
