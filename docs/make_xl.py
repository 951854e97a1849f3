"""Prints docs/xl.md from the table of xl's subcommands: ``python3 docs/make_xl.py >docs/xl.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.lab.test_shim import NOT_COMPARED, compared
from xenvm.cli.table import find
from xenvm.cli.xl.shim import implemented
from xenvm.cli.xl.table import ROWS, Row

INTRODUCTION = """\
<!-- Made by docs/make_xl.py from the table of xl's subcommands; do not edit. -->
# xl's commands

`xenvm xl SUBCOMMAND ...` does what `xl SUBCOMMAND ...` does: xl's names and their unambiguous beginnings, global flags,
options, columns, exit codes, and the messages that scripts look for. Below it our own commands do the work, so that the
two can be mixed, and mixed with the real xl, on the same guests.

To have scripts find it as `xl`, put a link before the real one, and take it away to go back:

```
ln -s "$(command -v xenvm)" /usr/local/sbin/xl
```

What is the same for all of them:

* Options may stand anywhere before `--`; `-h` shows the help and ends with 0; an unknown option or too few words end
  with 2, an unknown or ambiguous subcommand with 1.
* A domain is a domid if it is all digits, and a name otherwise. An unknown name ends with 1 and
  `NAME is an invalid domain identifier (rc=-6)`. A domid that is not there ends as xl ends, which for some is 0.
* Errors end with 1; `create` ends with the number of libxl's error. Explanations are our own and begin with `xl: `;
  after them comes the line that xl ends with, such as `destroy failed (rc=-3)`.
* `-v`, `-f`, `-t` and `-T` before the subcommand are accepted and change nothing; `-N` is a dry run of those with `-N`
  below.
* A subcommand without a command of ours, or an option that is refused, ends with 1 and one sentence that says why.
"""

BESIDE = """\
A script of all of them is run by xl and by the shim in the lab (`tests/lab/test_shim.py`), on the Xen releases that the
table names: exit codes, output and the messages that scripts look for are the same.
"""


def lines() -> Iterator[str]:
    """The whole page."""
    yield from INTRODUCTION.splitlines()
    beside = compared()
    yield from ("", "## Every subcommand", "", BESIDE.rstrip(), "")
    yield from ("| xl | Ours | Shim | Beside xl | Options |", "|---|---|---|---|---|")
    for row in ROWS:
        ours = f"`xenvm {row.name}`" if find(row.name) else ""
        both = "4.17, 4.20" if row.name in beside else NOT_COMPARED.get(row.name, "")
        shim = "yes" if implemented(row) else "no"
        yield f"| `{row.name}` | {ours} | {shim} | {both if implemented(row) else ''} | {_options(row)} |"
    yield from ("", "## Differences", "")
    for row in ROWS:
        if implemented(row) and (differences := _differences(row)):
            yield from _wrapped(f"* `{row.name}`: {differences}")
    yield from ("", "## What is refused, and why", "")
    for reason, names in _refused().items():
        yield from _wrapped(f"* {', '.join(names)}: {reason}.")


def _options(row: Row) -> str:
    if not implemented(row):
        return ""
    letters = [f"`-{letter}`" for letter in row.letters.replace(":", "") if letter not in row.refused + "h"]
    return " ".join([*letters, *(["`-N`"] if row.dry else [])])


def _differences(row: Row) -> str:
    refused = _flags(row.refused, f"is refused: {row.reason}.", f"are refused: {row.reason}.")
    ignored = _flags(row.ignored, "changes nothing.", "change nothing.")
    return " ".join(filter(None, [refused, ignored, row.difference]))


def _flags(letters: str, one: str, many: str) -> str:
    """The options with what is said of one, or of many; empty if there are none."""
    return f"{', '.join(f'`-{letter}`' for letter in letters)} {many if len(letters) > 1 else one}" if letters else ""


def _refused() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in ROWS:
        if not implemented(row):
            found.setdefault(row.reason, []).append(f"`{row.name}`")
    return found


def _wrapped(text: str) -> list[str]:
    import textwrap

    return textwrap.wrap(text, 120, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False)


if __name__ == "__main__":
    print("\n".join(lines()))
