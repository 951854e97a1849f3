"""replay: a recording as a chart, against a simulated peer, or beside another recording."""

from __future__ import annotations

import sys

from xenbus.devices import BACK, FRONT
from xenbus.recording import bounded, load
from xenvm.cli.run import FAILED, OK, Answer, usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenbus.recording import Recording

_ENDS = {"front": FRONT, "back": BACK}
_WIDTH = 160
"""Of a chart that goes into a file or a pipe."""


def replay(file: str, device: str | None, every: bool, against: str | None, compare: str | None, as_json: bool) -> int:
    """Prints what was recorded; or ends with 1 where a simulated peer, or another recording, differs."""
    if against is not None and (against not in _ENDS or compare is not None):
        return usage("replay --against takes front or back, and not --compare as well")
    recording = read(file)
    if against is not None:
        return _play(recording, _ENDS[against], device, as_json)
    if compare is not None:
        return _compare(recording, read(compare), device, as_json)
    return _chart(recording, device, every, as_json)


def read(path: str) -> Recording:
    """A recording's file, ``-``: the standard input. InvalidValue tells the line that makes no sense."""
    if path == "-":
        return load(bounded(sys.stdin), "the standard input")
    with open(path, encoding="utf-8", errors="replace") as file:
        return load(bounded(file), path)


def _chart(recording: Recording, device: str | None, every: bool, as_json: bool) -> int:
    from xenbus import chart
    from xenvm.cli.store.session import Paint, coloured, print_json, width

    if as_json:
        shown = chart.chosen(recording, device, every)
        header = {**recording.header.as_dict(), "ended": recording.ended or None}
        print_json({"recording": header, "steps": [chart.step_object(step) for step in shown]})
        return OK
    paint = Paint(coloured())
    for line, row in chart.lines(recording, device, every, width() or _WIDTH):
        text = line.rstrip()
        print(text if row is None or row.state is None else paint.state(row.state, text))
    return OK


def _play(recording: Recording, side: str, device: str | None, as_json: bool) -> int:
    from xenbus.playback import play
    from xenvm.cli.store.session import print_json
    from xenvm.host.sim.replayed import drivers

    verdicts = play(recording, side, device, drivers(side))
    with Answer():
        if as_json:
            print_json({"devices": [verdict.as_dict() for verdict in verdicts]})
        else:
            sys.stdout.writelines(f"{verdict.sentence}\n" for verdict in verdicts)
            if not verdicts:
                print("no device is in the recording")
    return OK if verdicts and all(verdict.same for verdict in verdicts) else FAILED


def _compare(recording: Recording, other: Recording, device: str | None, as_json: bool) -> int:
    from xenbus.compare import differences
    from xenvm.cli.store.session import print_json

    found = differences(recording, other, device)
    with Answer():
        if as_json:
            print_json({"differences": [each.as_dict() for each in found]})
        else:
            print(f"first difference: {found[0].sentence}" if found else "both recordings went the same way")
            sys.stdout.writelines(f"  then {each.sentence}\n" for each in found[1:])
    return FAILED if found else OK
