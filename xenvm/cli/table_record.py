"""The rows of `record` and `replay`, which have their own file for the length of the table."""

from __future__ import annotations

from xenvm.cli.table import JSON, Argument, Command, Option

RECORD = Command(
    "record",
    "Record all that the store sees of a domain, with times, until it is gone.",
    "record:record",
    (
        Option(("-o", "--output"), "output", "Where to write (default: standard output).", "FILE"),
        Option(("--seconds",), "seconds", "End after so many seconds.", "N", None, True),
        Option(("--socket",), "socket", "Not this host's store: the path of a socket or device.", "PATH"),
    ),
    (Argument("targets", "DOMAIN|PATH...", many=True),),
)
REPLAY = Command(
    "replay",
    "Show a recording as a chart, play it to a simulated peer, or compare it with another one.",
    "replay:replay",
    (
        Option(("-d", "--device"), "device", "One device: a disk's name, a number, kind:number.", "DEVICE"),
        Option(("-a", "--all"), "every", "Show also what was there before, and requests."),
        Option(("--against",), "against", "Let our own front or back end answer what was recorded.", "END"),
        Option(("--compare",), "compare", "Tell where another recording first differs.", "FILE"),
        JSON,
    ),
    (Argument("file", "FILE", complete="file"),),
)
