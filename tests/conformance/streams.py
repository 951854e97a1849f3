"""Random requests of several clients, done in lockstep; the transcript has all that a client can see."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

from tests.conformance.client import Event, Reply
from tests.conformance.worlds import World
from xenbus import wire

CLIENTS = (0, 0, 5, 6)
"""The domids of the clients."""

PATHS = (
    *("/a", "/a/b", "/a/b/c", "/a/b/c/d", "/a/e", "/f", "/f/g", "/f/g/h", "/f/10", "/f/9", "/", "/tool", "/none/none"),
    *("/local", "/local/domain", "/local/domain/5", "/local/domain/5/x", "/local/domain/5/x/y", "/local/domain/6"),
    *("/local/domain/6/x", "x", "x/y", "x/y/z", "w", "data/1", "data/2"),
)
ODD_PATHS = ("/a/", "//", "/a b", "@releaseDomain", "@introduceDomain")
PERMS = tuple(letter + domid for letter in "nrwb" for domid in ("0", "5", "6"))


class Step(NamedTuple):
    """One request of one client: `slot` is one of its open transactions, -1 none, -2 an unknown one."""

    who: int
    op: int
    payload: bytes = b""
    slot: int = -1


DIES = -1
"""Not an operation: the domain dies and comes again."""


class Line(NamedTuple):
    """What came of a step."""

    step: Step
    reply: Reply
    events: tuple[tuple[Event, ...], ...]


def steps(seed: int, count: int) -> Iterator[Step]:
    """The same requests for the same seed; the first ones make something to work on."""
    dice = random.Random(seed)
    for domid in (5, 6):
        yield Step(0, wire.MKDIR, b"/local/domain/%d\0" % domid)
        yield Step(0, wire.SET_PERMS, b"/local/domain/%d\0n%d\0" % (domid, domid))
    yield Step(0, wire.SET_PERMS, b"@releaseDomain\0n0\0")  # before 4.22 guests could not watch it
    yield Step(0, wire.MKDIR, b"/f\0")
    yield Step(0, wire.SET_PERMS, b"/f\0b0\0")
    for _number in range(count):
        yield _step(dice)


def _step(dice: random.Random) -> Step:
    who = dice.randrange(len(CLIENTS))
    if dice.random() < 0.002:
        return Step(dice.choice((2, 3)), DIES)
    op = dice.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
    slot = dice.choice((-1, -1, 0, 1)) if op != wire.TRANSACTION_END else dice.choice((0, 0, 1))
    if op == wire.TRANSACTION_START:
        slot = -1
    if dice.random() < 0.01:
        slot = -2
    path = dice.choice(PATHS)
    # 4.17 answers with what error it met last, where it is about permissions of special nodes, and unwatches any path.
    if dice.random() < 0.03 and op not in (wire.GET_PERMS, wire.SET_PERMS, wire.UNWATCH):
        path = dice.choice(ODD_PATHS)
    return Step(who, op, _payload(dice, op, path.encode() + b"\0"), slot)


_WEIGHTS = {
    wire.WRITE: 22,
    wire.READ: 14,
    wire.MKDIR: 8,
    wire.RM: 7,
    wire.DIRECTORY: 7,
    wire.GET_PERMS: 6,
    wire.SET_PERMS: 10,
    wire.WATCH: 6,
    wire.UNWATCH: 3,
    wire.TRANSACTION_START: 4,
    wire.TRANSACTION_END: 5,
    wire.DIRECTORY_PART: 2,
    wire.GET_DOMAIN_PATH: 1,
    wire.IS_DOMAIN_INTRODUCED: 1,
    wire.RESET_WATCHES: 0.3,
    wire.RESTRICT: 0.2,
    wire.WATCH_EVENT: 0.2,
    wire.RESUME: 0.2,
}


def _payload(dice: random.Random, op: int, path: bytes) -> bytes:
    if op == wire.WRITE:
        size = dice.choice((2000, 2010, 2100)) if dice.random() < 0.03 else dice.choice((0, 1, 5, 40))
        return path + dice.randbytes(size)
    if op == wire.SET_PERMS:
        perms = [dice.choice(PERMS) for _number in range(dice.choice((1, 1, 2, 3, 7)))]
        if path == b"/\0":
            perms[0] = "n0"  # 4.17 removes all there is when the owner of / dies
        return path + wire.join_strings(perms)
    if op in (wire.WATCH, wire.UNWATCH):
        return path + dice.choice((b"t", b"u")) + b"\0"
    if op == wire.TRANSACTION_END:
        return dice.choice((b"T\0", b"T\0", b"T\0", b"F\0"))
    if op in (wire.TRANSACTION_START, wire.RESET_WATCHES):
        return b"\0"
    if op == wire.DIRECTORY_PART:
        return path + dice.choice((b"0", b"2", b"500")) + b"\0"
    if op in (wire.GET_DOMAIN_PATH, wire.IS_DOMAIN_INTRODUCED, wire.RESUME):
        return dice.choice((b"0\0", b"5\0", b"6\0", b"77\0"))
    return path


class Run:
    """A stream on one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._clients = [world.guest(domid) if domid else world.dom0() for domid in CLIENTS]
        self._open: list[list[int]] = [[] for _domid in CLIENTS]
        self._control = world.dom0()

    def do(self, step: Step) -> Line:
        """One step."""
        reply = self._die(step.who) if step.op == DIES else self._ask(step)
        return Line(step, reply, self._events())

    def _events(self) -> tuple[tuple[Event, ...], ...]:
        return tuple(tuple(client.take_events()) for client in self._clients)

    def _ask(self, step: Step) -> Reply:
        client, opened = self._clients[step.who], self._open[step.who]
        if step.op == wire.TRANSACTION_START and len(opened) >= 5:
            return "too many"
        tx = 0
        if step.slot == -2:
            tx = 9999
        elif 0 <= step.slot < len(opened):
            tx = opened.pop(step.slot) if step.op == wire.TRANSACTION_END else opened[step.slot]
        reply = client.raw(step.op, step.payload, tx)
        if step.op == wire.RESET_WATCHES and reply == wire.OK:
            opened.clear()
        if isinstance(reply, bytes) and step.op == wire.TRANSACTION_START:
            opened.append(int(reply.rstrip(b"\0")))
            return b"an id"
        if isinstance(reply, bytes) and step.op == wire.DIRECTORY_PART:
            return reply.partition(b"\0")[2]  # behind a generation count
        return reply

    def transaction(self, step: Step) -> int:
        """The id that a step is in, 0 for none."""
        opened = self._open[step.who]
        return opened[step.slot] if 0 <= step.slot < len(opened) else 0

    def give_up(self, step: Step, commit: bool) -> Reply:
        """Ends the transaction that a step was in."""
        return self._clients[step.who].end(self._open[step.who].pop(step.slot), commit)

    def _die(self, who: int) -> Reply:
        for client, opened in zip(self._clients, self._open, strict=True):
            while opened:  # what names the dead is committed by 4.17, as nodes of nobody; by ours it is not
                client.end(opened.pop(), commit=False)
        self._disown(str(CLIENTS[who]))
        self._world.destroy(CLIENTS[who])
        self._control.write("/last")  # 4.17 lets a new domain have the old one's rights on the last node written
        self._clients[who] = self._world.guest(CLIENTS[who])
        return b"died"

    def _disown(self, domid: str) -> None:
        """Takes a domain out of all permissions: 4.17 goes on showing those of the dead, void as they are."""
        for path, _value, perms in list(self.tree()):
            others = [perm for perm in perms[1:] if perm[1:] != domid]
            if len(others) < len(perms) - 1:
                self._control.chmod(path, perms[0], *others)
                self._events()

    def tree(self, path: str = "/") -> Iterator[tuple[str, Reply, list[str]]]:
        """All nodes: path, value, permissions; children in their order."""
        perms = self._control.perms(path)
        assert isinstance(perms, list)
        yield path, self._control.read(path), perms
        for name in self._control.ls(path):
            yield from self.tree(f"{path.rstrip('/')}/{name}")


def difference(real: Run, ours: Run, seed: int, count: int) -> str:
    """Where two worlds part; empty where they do not.

    Two differences are meant, see docs/store-server.md, and end the transaction in both worlds: new children of one
    parent do not conflict in ours, and a look at a missing node does not keep the nodes above it as they are.
    """
    for number, step in enumerate(steps(seed, count)):
        inside = step.op != wire.TRANSACTION_END and real.transaction(step)
        first = real.do(step)
        if step.op == wire.TRANSACTION_END and first.reply == "EAGAIN":
            step, first = step._replace(payload=b"F\0"), first._replace(reply=wire.OK)
        second = ours.do(step)
        if step.op == wire.TRANSACTION_END:  # events come in the order in which nodes were looked at first
            first, second = _in_order(first), _in_order(second)
        if first[1:] != second[1:] and not (inside and _lost(real, ours, step)):
            return f"seed {seed}, step {number}:\n{first}\n{second}"
        if number % 500 == 499 and (parted := _trees(real, ours)):
            return f"seed {seed}, after step {number}: {parted}"
    return _trees(real, ours)


def _in_order(line: Line) -> Line:
    return line._replace(events=tuple(tuple(sorted(events)) for events in line.events))


def _lost(real: Run, ours: Run, step: Step) -> bool:
    """Ends a transaction in both worlds; whether the real daemon's was lost anyway, by a conflict or an error in it."""
    return real.give_up(step, True) in ("EAGAIN", "ENOMEM") and ours.give_up(step, False) == wire.OK


def _trees(one: Run, two: Run) -> str:
    first, second = list(one.tree()), list(two.tree())
    return "" if first == second else f"trees:\n{first}\n{second}"
