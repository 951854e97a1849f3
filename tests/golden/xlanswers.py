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
BASE = "name='g'\nkernel='/srv/guest/Image'\n"
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
