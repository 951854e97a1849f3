"""The command `check`: formats, exit codes, options."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from xenvm.cli import check as command
from xenvm.cli.run import CONFIG, OK, USAGE
from xenvm.guest.rules import rules

TOP = Path(__file__).resolve().parents[3]
GOOD = "name='good'\nkernel='/no/Image'\nmemory=64\n"
OCTAL = "name='octal'\nkernel='/no/Image'\nmemory=0100\n"
BAD = "name='bad'\nkernel='/no/Image'\nmemory='64m'\nvif=['mac=x']\n"


def run(tmp_path: Path, *texts: str, strict: bool = False, form: str = "text", ignored: str | None = None) -> int:
    paths = []
    for number, text in enumerate(texts):
        (tmp_path / f"{number}.cfg").write_text(text)
        paths.append(str(tmp_path / f"{number}.cfg"))
    return command.check(tuple(paths), strict, form, ignored, no_files=True, list_rules=False)


@pytest.mark.parametrize(
    ("text", "code", "strict_code"), [(GOOD, OK, OK), (OCTAL, OK, CONFIG), (BAD, CONFIG, CONFIG), ("x", CONFIG, CONFIG)]
)
def test_exit_codes(tmp_path: Path, text: str, code: int, strict_code: int) -> None:
    assert run(tmp_path, text) == code
    assert run(tmp_path, text, strict=True) == strict_code


def test_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, GOOD, OCTAL, BAD)
    *lines, last = capsys.readouterr().out.splitlines()
    assert [line.replace(f"{tmp_path}/", "") for line in lines] == [
        "1.cfg:3:8: warning: `memory' begins with a zero and is octal: 0100 is 64 [XV023]",
        "2.cfg:3:8: error: `memory' is not a valid number: `64m' [XV022]",
        "2.cfg:4:6: error: invalid mac `x' in the vif `mac=x' [XV031]",
    ]
    assert last == "3 files: 2 errors, 1 warning"


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, GOOD, OCTAL, form="json")
    found = json.loads(capsys.readouterr().out)
    assert (found["version"], found["errors"], found["warnings"]) == (1, 0, 1)
    assert [(one["name"], len(one["findings"])) for one in found["files"]] == [("good", 0), ("octal", 1)]
    (finding,) = found["files"][1]["findings"]
    assert {key: finding[key] for key in ("rule", "severity", "line", "column", "key")} == {
        "rule": "XV023",
        "severity": "warning",
        "line": 3,
        "column": 8,
        "key": "memory",
    }


def test_sarif(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the schema of SARIF 2.1.0 demands of what we use of it."""
    run(tmp_path, GOOD, OCTAL, BAD, "x", form="sarif")
    log = json.loads(capsys.readouterr().out)
    assert log["version"] == "2.1.0" and log["$schema"].endswith("sarif-2.1.0.json")
    (one,) = log["runs"]
    driver = one["tool"]["driver"]
    assert driver["name"] and [rule["id"] for rule in driver["rules"]] == [rule.id for rule in rules()]
    assert all(rule["shortDescription"]["text"] for rule in driver["rules"])
    assert len({rule["id"] for rule in driver["rules"]}) == len(driver["rules"])
    assert one["columnKind"] in ("utf16CodeUnits", "unicodeCodePoints")
    assert len(one["results"]) == 4
    for result in one["results"]:
        assert result["level"] in ("none", "note", "warning", "error")
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["message"]["text"]
        (location,) = result["locations"]
        place = location["physicalLocation"]
        assert re.fullmatch(r"[A-Za-z0-9._~/%-]+", place["artifactLocation"]["uri"])
        assert all(type(number) is int and number >= 1 for number in place["region"].values())


def test_ignored_rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, OCTAL, strict=True, ignored="XV001,XV023") == OK
    assert run(tmp_path, OCTAL, ignored="XV999") == USAGE
    assert "there is no rule XV999" in capsys.readouterr().err


def test_json_for_short(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "g.cfg").write_text(GOOD)
    assert command.check((str(tmp_path / "g.cfg"),), False, "text", None, True, False, as_json=True) == OK
    assert json.loads(capsys.readouterr().out)["errors"] == 0


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.check((), False, "text", None, False, False) == USAGE
    assert command.check(("x",), False, "xml", None, False, False) == USAGE
    assert "needs a configuration file" in capsys.readouterr().err


def test_rules_are_listed_and_documented(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.check((), False, "text", None, False, list_rules=True) == OK
    listed = capsys.readouterr().out
    page = (TOP / "docs/check.md").read_text()
    for rule in rules():
        assert f"{rule.id}  {rule.name}" in listed
        assert f"| {rule.id} | {rule.name} | {rule.summary} |" in page
    assert len(re.findall(r"^\| XV", page, re.M)) == len(list(rules()))


def test_an_odd_name_is_no_trouble(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / b"\xff odd.cfg".decode("utf-8", "surrogateescape")
    path.write_text(BAD)
    for form in ("text", "json", "sarif"):
        assert command.check((str(path),), False, form, None, True, False) == CONFIG
    assert "%FF%20odd.cfg" in capsys.readouterr().out
