"""A plan in dom0 is what create leaves in the store, apart from what is chosen at run time."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.golden import stores
from tests.golden.configs import UUID
from tests.lab.dom0 import KERNEL32, RAMDISK32, Dom0

SETTINGS: dict[str, Any] = {
    "uuid": UUID,
    "kernel": KERNEL32,
    "ramdisk": RAMDISK32,
    "memory": 64,
    "vuart": "sbsa_uart",
    "vif": ["mac=00:16:3e:00:b1:a9,bridge=xenbr0"],
}
ANSWERS = re.compile("|".join(rule for rule, _ in stores.LATER if "hotplug" not in rule and "node" not in rule))
"""What back ends and the console daemon write, once they have found a device."""


def test_the_plan_is_what_is_left_in_the_store(clean: Dom0) -> None:
    config = clean.config("planned", **SETTINGS, disk=[f"{clean.disk('planned')},raw,xvda,rw"])
    before = clean.traces()
    plan = json.loads(clean.xenvm("plan", "-p", "--json", "--only", "summary,store", config))
    assert plan["verdict"] == "valid" and clean.traces() == before
    clean.xenvm("create", "-p", "-e", "-q", config)
    found = stores.look(clean.lab, "planned")
    refused = clean.run(["xenvm", "plan", "--only", "summary", config])
    assert refused.rc == 10 and "a domain named 'planned' exists already" in refused.stderr
    clean.xenvm("destroy", "planned")
    removed = {step["arguments"]["path"] for step in plan["steps"] if step["operation"] == "remove"}
    lines = (_line(step) for step in plan["steps"] if step["arguments"].get("path") not in removed)
    planned = stores.normalised("".join(lines), plan["guest"]["domid"])
    same = {
        path: (found[path][0] if value == AT_RUN_TIME else value, perms) for path, (value, perms) in planned.items()
    }
    assert without_answers(found) == without_answers(same)


AT_RUN_TIME = "(at run time)"


def _line(step: dict[str, Any]) -> str:
    """A write of the plan as xenstore-ls would show it."""
    if step["operation"] != "write":
        return ""
    path, value, perms, _ = step["arguments"].values()
    return f'{path} = "{AT_RUN_TIME if value is None else value}"   ({perms})\n'


def without_answers(listing: stores.Listing) -> stores.Listing:
    """Without what others have written meanwhile, and without the directories that come by themselves."""
    above = {path.rsplit("/", depth)[0] for path in listing for depth in range(1, 8)}
    return {path: entry for path, entry in listing.items() if not ANSWERS.fullmatch(path) and path not in above}
