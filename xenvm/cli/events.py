"""events: what happens to the domains of a host, a line for each, as it happens."""

from __future__ import annotations

from xenvm.cli.run import open_host
from xenvm.errors import HostAtRest


def events(as_json: bool) -> None:
    """Prints events until it is interrupted; a simulated host is let go while nothing happens on it."""
    from xenvm.ops.events import State, follow

    known: State = {}
    host = open_host()
    try:
        while True:
            try:
                for event in follow(host, known):
                    show(event.domid, event.name, event.what, as_json)
            except HostAtRest:
                if not host.exclusive:
                    raise
                host.until_changed()
                host = open_host(quietly=True)
    finally:
        host.close()


def show(domid: int, name: str, what: str, as_json: bool) -> None:
    """Prints one event at once, so that a pipe has it."""
    import time

    now = time.time()
    if as_json:
        import json

        print(
            json.dumps({"version": 1, "time": round(now, 3), "domid": domid, "name": name, "event": what}), flush=True
        )
    else:
        print(f"{time.strftime('%H:%M:%S', time.localtime(now))} {domid:5} {name} {what}", flush=True)
