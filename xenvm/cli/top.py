"""top: the host's domains, live on a terminal, or one look as text or JSON."""

from __future__ import annotations

import os

from xenvm.cli.run import USAGE, open_host
from xenvm.errors import UnsupportedError
from xenvm.ops.top import Rates, Row, rows, totals
from xenvm.ops.top_look import Looker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_HEADER = f"{'Name':<24} {'ID':>5} {'State':<10} {'CPU(s)':>9} {'Mem':>7} {'VCPUs':>5}  Devices"
_EXTRA = ("textual", "rich")


def top(once: bool, as_json: bool, delay: int) -> int:
    """Shows the domains until `q`; a single look if asked for, or where this is no terminal."""
    if once or as_json or not (os.isatty(0) and os.isatty(1)):
        return _once(as_json)
    if not 1 <= delay <= 3600:
        import sys

        print("xenvm: --delay is 1 to 3600 seconds", file=sys.stderr)
        return USAGE
    try:
        from xenvm.cli.top_app import run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        raise UnsupportedError(
            "top on a terminal needs the library textual, the extra xenvm[top]; `xenvm top --once` does without it"
        ) from error
    with open_host() as host:
        run(host, float(delay))
    return 0


def _once(as_json: bool) -> int:
    with open_host() as host:
        sample = Looker(host).look()
    found = rows(sample, Rates().take(sample))
    if as_json:
        import json

        print(json.dumps({"version": 1, "domains": list(map(_object, found))}, indent=2))
    else:
        print("\n".join(_lines(found)))
    return 0


def _lines(found: Sequence[Row]) -> list[str]:
    return [totals(found, rates=False), _HEADER, *map(_line, found)]


def _line(row: Row) -> str:
    info = row.info
    text = f"{row.name:<24} {info.domid:5} {row.state:<10} {info.cpu_time / 1e9:9.1f} {row.memory_mib:7}"
    devices = "; ".join(f"{device.name}: {device.states}" for device in row.devices)
    return f"{text} {info.nr_online_vcpus:5}  {devices}".rstrip()


def _object(row: Row) -> dict[str, object]:
    from xenbus.bus import STATE_NAMES

    info = row.info
    return {
        "domid": info.domid,
        "name": row.raw_name,
        "uuid": info.uuid,
        "state": row.state,
        "cpu_time_ns": info.cpu_time,
        "memory_kib": info.tot_pages * 4,
        "max_memory_kib": info.max_pages * 4,
        "vcpus_online": info.nr_online_vcpus,
        "devices": [
            {
                "kind": device.record.kind,
                "devid": device.record.devid,
                "name": device.record.facts.get("dev"),
                "backend_domid": device.record.backend_domid,
                "frontend_state": STATE_NAMES[device.front],
                "backend_state": STATE_NAMES[device.back],
            }
            for device in row.devices
        ],
    }
