"""gc: what is left over on this host, as a table or JSON, and its removal by choice."""

from __future__ import annotations

import sys

from xenvm.cli.run import FAILED, OK, Answer, open_host, say, usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from xenvm.host.open import Host
    from xenvm.ops.gc_rules import Finding


def gc(what: Sequence[str], remove: bool, every: bool, as_json: bool) -> int:
    """Shows all that is left over, or removes what is chosen; fails if anything is left then."""
    from xenvm.ops import gc

    asks = remove and not what and not every
    if (every or what) and not remove:
        return usage("what is only shown needs no choice; --remove removes it")
    if asks and (as_json or not sys.stdin.isatty()):
        return usage("say what to remove: kinds, ids, or --all")
    with open_host() as host:
        found = gc.find(host)
        if not remove:
            with Answer():
                _show(found, [], [], as_json)
            return FAILED if found else OK
        chosen = [finding for finding in found if _wanted(finding)] if asks else gc.choose(found, what, every)
        return _remove(host, found, chosen, as_json)


def _remove(host: Host, found: Sequence[Finding], chosen: Sequence[Finding], as_json: bool) -> int:
    from xenvm.ops import gc

    troubles = gc.remove(host, chosen) if chosen else []
    left = {finding.id for finding in gc.find(host)} if chosen else set()
    gone = [finding for finding in chosen if finding.id not in left]
    with Answer():
        if as_json:
            _show(found, gone, troubles, True)
        else:
            for finding in gone:
                print(f"removed {finding.id}")
    for trouble in () if as_json else troubles:
        say(trouble)
    return OK if len(gone) == len(chosen) else FAILED


def _wanted(finding: Finding) -> bool:
    """Asks; whatever is not yes is no."""
    _tell(finding)
    try:
        return input(f"Remove {finding.id}? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        print()
        return False


def _show(found: Sequence[Finding], gone: Sequence[Finding], troubles: Sequence[str], as_json: bool) -> None:
    if not as_json:
        for finding in found:
            _tell(finding)
        return
    import json

    rows = [{"id": finding.id, **finding.replace(evidence=()).as_dict()} for finding in found]
    for row in rows:
        del row["evidence"]
    removed = [finding.id for finding in gone]
    print(json.dumps({"version": 1, "found": rows, "removed": removed, "troubles": list(troubles)}, indent=2))


def _tell(finding: Finding) -> None:
    """A finding in a few lines; names that the terminal's encoding lacks are replaced."""
    lines = [f"{finding.id}", f"    {finding.sentence}"]
    lines += [f"    held by {holder}" for holder in finding.holders]
    lines += [f"    to remove it: {finding.remedy}" + ("" if finding.sure else "   (not with --all)")]
    text = "\n".join(lines).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    print("".join(c if c.isprintable() or c == "\n" else "?" for c in text))
