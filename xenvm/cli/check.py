"""check: what is wrong with configurations, for people, for editors and for CI."""

from __future__ import annotations

import sys

from xenvm.cli.run import CONFIG, OK, USAGE, Answer
from xenvm.guest.lint import check_files
from xenvm.guest.rules import is_rule, rules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from xenvm.guest.lint import Checked

_FORMATS = ("text", "json", "sarif")


def check(
    configs: tuple[str, ...],
    strict: bool,
    form: str,
    ignored: str | None,
    no_files: bool,
    list_rules: bool,
    as_json: bool = False,
) -> int:
    """Prints all findings; 0 if there is no error, with `strict` no warning either."""
    if list_rules:
        for rule in rules():
            print(f"{rule.id}  {rule.name:<20} {rule.summary}")
        return OK
    form = "json" if as_json else form
    unknown = [name for name in _names(ignored) if not is_rule(name)]
    if not configs or form not in _FORMATS or unknown:
        print(f"xenvm: {_complaint(configs, form, unknown)}", file=sys.stderr)
        return USAGE
    checked = _without(check_files(configs, look_at_files=not no_files), set(_names(ignored)))
    with Answer():
        _print(checked, form)
    severities = {finding.severity for one in checked for finding in one.findings}
    return CONFIG if "error" in severities or (strict and severities) else OK


def _complaint(configs: tuple[str, ...], form: str, unknown: list[str]) -> str:
    if not configs:
        return "check needs a configuration file"
    if form not in _FORMATS:
        return f"{form!r} is no format: there are {', '.join(_FORMATS)}"
    return f"there is no rule {', '.join(unknown)}: `xenvm check --rules` lists them"


def _names(ignored: str | None) -> list[str]:
    return [name for name in (ignored or "").split(",") if name]


def _without(checked: Iterable[Checked], ignored: set[str]) -> list[Checked]:
    return [
        one.replace(findings=tuple(finding for finding in one.findings if finding.rule not in ignored))
        for one in checked
    ]


def _print(checked: list[Checked], form: str) -> None:
    from xenvm.cli import check_formats

    text = {"text": check_formats.text, "json": check_formats.json_text, "sarif": check_formats.sarif}[form](checked)
    sys.stdout.write(text.encode("utf-8", "backslashreplace").decode())
