"""The engine against a dictionary, part two: what guests may do, and which events everybody gets.

Domain 0 and two guests take turns. Each reply, the whole tree and all events after each request are those of a simple
model of the rules: rights come from the node, or from the nearest one above it where it is missing; a guest's new nodes
are its own; an event goes to the watches on the node and above it, and where a node is removed to those on each node
below; a guest hears of what it may read, before or after, by the node's permissions or its parent's.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.support.rawclient import RawClient
from xenbus import wire
from xenbus.server.engine import Engine

PATHS = st.sampled_from(["/", "/a", "/a/b", "/a/b/c", "/a/d", "/e", "/e/f", "/e/f/g"])
WHO = st.sampled_from([0, 5, 6])
VALUES = st.sampled_from([b"", b"x", b"y"])
PERMS = st.sampled_from(
    ["n0", "r0", "b0", "n5", "r5", "b5", "n6", "n0,r5", "n0,b5", "n5,r6", "w5,n6", "n6,b5,r5", "r5,w6"]
)
TOKENS = st.sampled_from(["s", "t"])

Entries = tuple[tuple[int, str], ...]
Event = tuple[bytes, bytes]


def entries(text: str) -> Entries:
    return tuple((int(entry[1:]), entry[0]) for entry in text.split(","))


def rights(perms: Entries, domid: int) -> str:
    """Letters of what a domain may: r, w, and o for the owner."""
    if domid in (0, perms[0][0]):
        return "rwo"
    letter = next((letter for who, letter in perms[1:] if who == domid), perms[0][1])
    return {"n": "", "r": "r", "w": "w", "b": "rw"}[letter]


def above(path: str) -> str:
    return path.rpartition("/")[0] or "/"


def covers(watched: str, path: str) -> bool:
    return watched == "/" or path == watched or path.startswith(watched + "/")


class Model:
    """A store with domains."""

    def __init__(self) -> None:
        nobody = entries("n0")
        self.nodes: dict[str, tuple[bytes, Entries]] = dict.fromkeys(("/", "/tool", "/tool/xenstored"), (b"", nobody))
        self.watches: dict[tuple[int, str, str], None] = {}
        self.events: dict[int, list[Event]] = {0: [], 5: [], 6: []}

    def refusal(self, who: int, path: str, need: str) -> str:
        """EACCES, or nothing: where the node is missing, any of the rights on the nearest one above it will do."""
        if path in self.nodes:
            return "" if set(need) <= set(rights(self.nodes[path][1], who)) else "EACCES"
        while path not in self.nodes:
            path = above(path)
        return "" if set(need) & set(rights(self.nodes[path][1], who)) else "EACCES"

    def look(self, who: int, path: str) -> tuple[bytes, Entries] | str:
        return self.refusal(who, path, "r") or self.nodes.get(path, "ENOENT")

    def make(self, who: int, path: str, value: bytes | None) -> object:
        """WRITE, or MKDIR without a value."""
        if refused := self.refusal(who, path, "w"):
            return refused
        if path in self.nodes:
            if value is None:
                return wire.OK
            self.nodes[path] = value, self.nodes[path][1]
        else:
            self._create(who, path, value or b"")
        self.tell(path, [self.nodes[path][1]])
        return wire.OK

    def _create(self, who: int, path: str, value: bytes) -> None:
        if above(path) not in self.nodes:
            self._create(who, above(path), b"")
        perms = self.nodes[above(path)][1]
        if who:
            perms = ((who, perms[0][1]), *perms[1:])
        self.nodes[path] = value, perms

    def remove(self, who: int, path: str) -> object:
        if refused := self.refusal(who, path, "w"):
            return refused
        if path not in self.nodes:
            return wire.OK if above(path) in self.nodes else "ENOENT"
        if path == "/":
            return "EINVAL"
        # Leaves first: what is above a node is still there when its end is told.
        for gone in sorted((node for node in self.nodes if covers(path, node)), key=lambda node: -node.count("/")):
            perms = self.nodes[gone][1]
            self.tell(gone, [perms], exactly=gone != path)
            del self.nodes[gone]
        return wire.OK

    def chmod(self, who: int, path: str, perms: Entries) -> object:
        if refused := self.refusal(who, path, "wo"):
            return refused
        if path not in self.nodes:
            return "ENOENT"
        value, before = self.nodes[path]
        if who and perms[0][0] != before[0][0]:
            return "EPERM"
        self.nodes[path] = value, perms
        self.tell(path, [before, perms])
        return wire.OK

    def tell(self, path: str, perms: list[Entries], exactly: bool = False) -> None:
        perms = [*perms, self.nodes[above(path)][1]]
        for who, watched, token in self.watches:
            if (path == watched if exactly else covers(watched, path)) and any("r" in rights(p, who) for p in perms):
                self.events[who].append((path.encode(), token.encode()))

    def watch(self, who: int, path: str, token: str) -> object:
        if (who, path, token) in self.watches:
            return "EEXIST"
        self.watches[who, path, token] = None
        self.events[who].append((path.encode(), token.encode()))
        return wire.OK

    def unwatch(self, who: int, path: str, token: str) -> object:
        return wire.OK if self.watches.pop((who, path, token), "ENOENT") is None else "ENOENT"


class Domains(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.engine, self.model = Engine(clock=lambda: 0.0), Model()
        self.clients = {0: RawClient(self.engine), 5: RawClient(self.engine, 5), 6: RawClient(self.engine, 6)}

    @rule(who=WHO, path=PATHS, value=VALUES)
    def write(self, who: int, path: str, value: bytes) -> None:
        assert self.clients[who].write(path, value) == self.model.make(who, path, value)

    @rule(who=WHO, path=PATHS)
    def mkdir(self, who: int, path: str) -> None:
        assert self.clients[who].mkdir(path) == self.model.make(who, path, None)

    @rule(who=WHO, path=PATHS)
    def remove(self, who: int, path: str) -> None:
        assert self.clients[who].rm(path) == self.model.remove(who, path)

    @rule(who=WHO, path=PATHS)
    def look(self, who: int, path: str) -> None:
        client, expected = self.clients[who], self.model.look(who, path)
        found = client.read(path), client.perms(path)
        if isinstance(expected, str):
            assert found == (expected, expected) and client.ls(path) == expected
        else:
            value, perms = expected
            assert found == (value, [f"{letter}{domid}" for domid, letter in perms])

    @rule(who=WHO, path=PATHS, perms=PERMS)
    def chmod(self, who: int, path: str, perms: str) -> None:
        assert self.clients[who].chmod(path, *perms.split(",")) == self.model.chmod(who, path, entries(perms))

    @rule(path=PATHS, perms=PERMS)
    def give(self, path: str, perms: str) -> None:
        """Without that, guests would seldom have anything to do."""
        self.write(0, path, b"")
        self.same_events()
        self.chmod(0, path, perms)

    @rule(who=WHO, path=PATHS, token=TOKENS)
    def watch(self, who: int, path: str, token: str) -> None:
        assert self.clients[who].watch(path, token) == self.model.watch(who, path, token)

    @rule(who=WHO, path=PATHS, token=TOKENS)
    def unwatch(self, who: int, path: str, token: str) -> None:
        assert self.clients[who].ask(wire.UNWATCH, path, token) == self.model.unwatch(who, path, token)

    @rule(who=WHO)
    def reset(self, who: int) -> None:
        assert self.clients[who].raw(wire.RESET_WATCHES, b"\0") == wire.OK
        self.model.watches = {watch: None for watch in self.model.watches if watch[0] != who}

    @invariant()
    def same_events(self) -> None:
        for who, client in self.clients.items():
            expected, self.model.events[who] = self.model.events[who], []
            events = client.events()
            assert set(events) == set(expected), who
            assert len(events) <= len(expected), "two watches with one token get the same event, which may come once"

    @invariant()
    def same_tree(self) -> None:
        found = {path.decode(): (node.value, node.perms.wire) for path, node in self.engine.tree.walk()}
        assert found == {
            path: (value, b"".join(f"{letter}{domid}\0".encode() for domid, letter in perms))
            for path, (value, perms) in self.model.nodes.items()
        }


TestDomains = Domains.TestCase
TestDomains.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
