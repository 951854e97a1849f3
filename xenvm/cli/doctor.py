"""doctor: what on this host will make create fail, with what mends it."""

from __future__ import annotations

from xenvm.cli.run import FAILED, OK, Answer
from xenvm.host.plumbing.survey import FAIL, WARN, Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from xenvm.cli.store.session import Paint
    from xenvm.host.open import Host

_COLOURS = {"ok": "32", "warn": "33", "fail": "31"}


def doctor(config: str | None, as_json: bool) -> int:
    """Prints what is right and what is not; ends with 1 if something will make creations fail."""
    from xenvm.cli import run
    from xenvm.host.open import open_host

    with open_host(run.chosen_host, run.say) as host:
        found = list(_findings(host, config))
    with Answer():
        _print(found, as_json)
    return FAILED if any(finding.level == FAIL for finding in found) else OK


def _print(found: list[Finding], as_json: bool) -> None:
    if as_json:
        import json

        print(json.dumps({"version": 1, "findings": [finding.as_dict() for finding in found]}, indent=2))
    else:
        from xenvm.cli.store.session import Paint, coloured

        paint = Paint(coloured())
        for finding in found:
            print("\n".join(_lines(finding, paint)))
        print(_summary(found))


def _findings(host: Host, config: str | None) -> Iterator[Finding]:
    from xenvm.ops.doctor import examine, needs

    if host.notice:
        fix = "boot Xen for guests that run; `xenvm lab up` boots it in QEMU; `--host sim` for what this is"
        yield Finding("host", WARN, host.notice, fix)
    yield from examine(host)
    if config is not None:
        from xenvm.cli.create import with_host_defaults

        yield from needs(host, config, lambda spec: with_host_defaults(spec)[0])


def _lines(finding: Finding, paint: Paint) -> Iterator[str]:
    level = paint.text(f"{finding.level:<4}", _COLOURS[finding.level])
    yield f"{level}  {finding.check:<13}  {finding.sentence}"
    if finding.fix:
        yield f"{'':21}-> {finding.fix}"


def _summary(found: list[Finding]) -> str:
    from xenvm.cli.check_formats import counted

    fails, warns = (sum(finding.level == level for finding in found) for level in (FAIL, WARN))
    warnings = counted(warns, "warning")
    if fails:
        return f"{fails} of {len(found)} checks failed, {warnings}"
    return f"nothing stands in the way of a creation, {warnings}" if warns else "all is well"
