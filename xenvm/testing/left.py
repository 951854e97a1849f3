"""What a test could leave on a simulated host, and what has changed since."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.host.sim.world import World

    Traces = dict[str, frozenset[str]]
    """Kinds of things -> those that are there."""

_FOUNDATIONS = ("/vm", "/libxl")
"""Nodes that the first guest makes, and that stay, as on a real host."""


def traces(world: World) -> Traces:
    """Everything that a guest could leave behind."""
    hyper = world.hyper
    paths = (path.decode("utf-8", "replace") for path, _value, _perms in world.xenstored.engine.records())
    return {
        "domain": frozenset(f"{domid}" for domid in hyper.all),
        "free pages": frozenset([f"{hyper.free_pages}"]),
        "event channels": frozenset([f"{hyper.channels.count()}"]),
        "node": frozenset(path for path in paths if path not in _FOUNDATIONS),
        "introduced domain": frozenset(map(str, world.xenstored.introduced)),
        "loop device": frozenset(f"{node} of {path}" for node, (path, _) in world.plumbing.block.loops.items()),
        "file": frozenset(_files(os.path.join(world.files(), "userdata"))),
    }


def _files(folder: str) -> list[str]:
    return [os.path.join(folder, name) for name in os.listdir(folder)] if os.path.isdir(folder) else []


def differences(before: Traces, after: Traces) -> list[str]:
    """A line for each thing that came or went."""
    lines = []
    for kind, had in before.items():
        has = after[kind]
        if len(had) == len(has) == 1 and had != has:
            lines.append(f"{kind}: {next(iter(has))} instead of {next(iter(had))}")
            continue
        lines += [f"{kind} {name}" for name in sorted(has - had)]
        lines += [f"no {kind} {name} any more" for name in sorted(had - has)]
    return lines
