"""The findings of `check` as text, as JSON, and as SARIF 2.1.0 (the OASIS standard that code hosts show in reviews)."""

from __future__ import annotations

from xenvm import __version__
from xenvm.guest.rules import rules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from xenvm.guest.cfg import Diagnostic
    from xenvm.guest.lint import Checked

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def text(checked: Sequence[Checked]) -> str:
    """A line for each finding, ``FILE:LINE:COLUMN: severity: message [RULE]``, and a line with the sum."""
    lines = [_line(finding) for one in checked for finding in one.findings]
    errors, warnings = _count(checked)
    sums = f"{counted(len(checked), 'file')}: {counted(errors, 'error')}, {counted(warnings, 'warning')}"
    return "\n".join([*lines, sums]) + "\n"


def counted(number: int, noun: str) -> str:
    """``1 error``, ``2 errors``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _line(finding: Diagnostic) -> str:
    place = ":".join([finding.source, *(str(number) for number in (finding.line, finding.column) if number)])
    return f"{place}: {finding.severity}: {finding.message} [{finding.rule}]"


def _count(checked: Sequence[Checked]) -> tuple[int, int]:
    every = [finding.severity for one in checked for finding in one.findings]
    return every.count("error"), every.count("warning")


def json_text(checked: Sequence[Checked]) -> str:
    """An object with a version, the files with their findings, and the sums."""
    errors, warnings = _count(checked)
    files = [
        {
            "path": one.path,
            "name": one.spec.name if one.spec else None,
            "findings": [{**finding.as_dict(), "rule": finding.rule} for finding in one.findings],
        }
        for one in checked
    ]
    return _dumps({"version": 1, "files": files, "errors": errors, "warnings": warnings})


def sarif(checked: Sequence[Checked]) -> str:
    """One run of SARIF with all rules and a result for each finding."""
    known = list(rules())
    numbers = {rule.id: number for number, rule in enumerate(known)}
    driver = {
        "name": "xenvm check",
        "version": __version__,
        "rules": [{"id": rule.id, "name": rule.name, "shortDescription": {"text": rule.summary}} for rule in known],
    }
    results = [_result(finding, numbers[finding.rule]) for one in checked for finding in one.findings]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return _dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]})


def _result(finding: Diagnostic, number: int) -> dict[str, Any]:
    from urllib.parse import quote

    where: dict[str, Any] = {"artifactLocation": {"uri": quote(finding.source, errors="surrogateescape")}}
    if finding.line:
        where["region"] = {"startLine": finding.line, "startColumn": max(1, finding.column)}
    return {
        "ruleId": finding.rule,
        "ruleIndex": number,
        "level": finding.severity,
        "message": {"text": finding.message},
        "locations": [{"physicalLocation": where}],
    }


def _dumps(value: object) -> str:
    from json import dumps

    return dumps(value, indent=2) + "\n"
