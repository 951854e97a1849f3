"""Makes the goldens anew, by the xl of real hosts: ``python -m tests.golden.regenerate SUITE...``."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from tests.golden import stores, trees, xlanswers
from tests.golden.configs import STORES, STORES_RUNNING, TREES, TREES_GICV2
from tests.lab.dom0 import Dom0
from xenvm import lab

# A change between the look and the watch costs a second.
_CONNECTED = r"""
for path in $(xenstore-ls -f /local/domain/0/backend | sed -nE 's#^([^ ]*/(vbd|vif)/[0-9]+/[0-9]+/state) = .*#\1#p'); do
    until [ "$(xenstore-read "$path")" = 4 ]; do timeout 1 xenstore-watch -n 2 "$path" >/dev/null; done
done
"""


def main(suites: list[str]) -> int:
    """All goldens of the suites, all suites' if none is named."""
    for suite in suites or list(lab.SUITES):
        for gic in (3, 2):
            options = lab.Options(memory=8192, gic=gic)
            with lab.up(f"golden-{suite}-gicv{gic}-{os.getpid()}", suite, options) as host:
                make_trees(host)
                if gic == 3:
                    make_stores(host)
                    make_answers(host)
    return 0


def make_trees(host: lab.Lab) -> None:
    """The device trees of one host; its guests never run."""
    facts = trees.ask_facts(host)
    made = {}
    for name in TREES if facts["gic"] == 3 else TREES_GICV2:
        print(f"{host.name}: device tree {name}", flush=True)
        blob = trees.xl_create(host, TREES[name])
        host.run(["xl", "destroy", TREES[name]["name"]], check=True)
        made[f"{name}.dts"] = trees.golden_text(TREES[name], facts, blob)
    _replace(trees.FOLDER / "{}.{}-gicv{}".format(*facts["xen"], facts["gic"]), made)


def make_stores(host: lab.Lab) -> None:
    """What xl leaves in the store of one host."""
    made = {}
    for name in STORES:
        print(f"{host.name}: store {name}", flush=True)
        for state, listing in observe(Dom0(host), "xl", name).items():
            made[f"{name}-{state}.txt"] = stores.as_text(listing)
    _replace(stores.FOLDER / lab.SUITES[host.suite].xen, made)


def make_answers(host: lab.Lab) -> None:
    """What xl makes of settings, by its dry run."""
    print(f"{host.name}: settings", flush=True)
    xlanswers.FOLDER.mkdir(exist_ok=True)
    (xlanswers.FOLDER / f"{lab.SUITES[host.suite].xen}.txt").write_text(xlanswers.make(host))


def _replace(folder: Path, files: dict[str, str]) -> None:
    """A folder's goldens by others, once all of them are there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def observe(dom0: Dom0, tool: str, name: str) -> dict[str, stores.Listing]:
    """What xl or xenvm leaves in the store for a guest: "paused", and "running" for some guests."""
    stores.prepare(dom0.lab)
    guest = STORES[name]["name"]
    found = {}
    dom0.ok([tool, "create", "-p", dom0.config(**STORES[name])], timeout=600)
    try:
        found["paused"] = stores.look(dom0.lab, guest)
        if name in STORES_RUNNING:
            dom0.forget_console(guest)
            dom0.ok([tool, "unpause", guest])
            dom0.console(guest, "xenvm-guest: ready")
            connected = dom0.run(_CONNECTED)
            assert connected.rc == 0, dom0.store("/local/domain/0/backend", "/local/domain")
            found["running"] = stores.look(dom0.lab, guest)
    finally:
        dom0.ok(["xl", "destroy", guest], timeout=600)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
