"""The engine against a dictionary: any requests, in and out of transactions, of clients that take turns.

A transaction that commits must have seen and done what it would have, had it run as a whole at its end; one that does
not commit must have changed nothing.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.support.rawclient import RawClient
from xenbus import wire
from xenbus.server.engine import Engine
from xenbus.server.tree import Usage

PATHS = st.sampled_from(["/", "/a", "/a/b", "/a/b/c", "/a/d", "/e", "/e/f", "/e/f/g", "/e/h"])
CLIENTS = st.integers(0, 1)
Step = tuple[str, str, str]
"""An operation's name, its path and its argument."""
STEPS = st.one_of(
    st.tuples(st.just("write"), PATHS, st.sampled_from("xyz")),
    st.tuples(st.sampled_from(["read", "ls", "perms", "mkdir", "rm"]), PATHS, st.just("")),
    st.tuples(st.just("chmod"), PATHS, st.sampled_from(["n0", "n5", "r0,b5"])),
)


class Model:
    """A store as a dictionary of paths, in order of creation."""

    def __init__(self, nodes: dict[str, tuple[str, str]] | None = None) -> None:
        self.nodes = dict(nodes or {"/": ("", "n0"), "/tool": ("", "n0"), "/tool/xenstored": ("", "n0")})

    def do(self, step: Step) -> object:
        """What a client sees of a request."""
        name, path, argument = step
        if name == "rm":
            return self._remove(path)
        if name in ("write", "mkdir"):
            if path not in self.nodes:
                self._make(path)
            if name == "write":
                self.nodes[path] = argument, self.nodes[path][1]
            return wire.OK
        if path not in self.nodes:
            return "ENOENT"
        value, perms = self.nodes[path]
        if name == "chmod":
            self.nodes[path] = value, argument
            return wire.OK
        return {"read": value.encode(), "perms": perms.split(","), "ls": self._children(path)}[name]

    def _make(self, path: str) -> None:
        above = path.rpartition("/")[0] or "/"
        if above not in self.nodes:
            self._make(above)
        self.nodes[path] = "", self.nodes[above][1]

    def _remove(self, path: str) -> object:
        if path == "/":
            return "EINVAL"
        if path not in self.nodes:
            return wire.OK if (path.rpartition("/")[0] or "/") in self.nodes else "ENOENT"
        for node in [node for node in self.nodes if node == path or node.startswith(path + "/")]:
            del self.nodes[node]
        return wire.OK

    def _children(self, path: str) -> list[str]:
        prefix = path.rstrip("/") + "/"
        return [
            node.removeprefix(prefix) for node in self.nodes if node != "/" and node.rpartition("/")[0] + "/" == prefix
        ]


def send(client: RawClient, step: Step, tx: int = 0) -> object:
    name, path, argument = step
    arguments: dict[str, list[object]] = {"write": [argument.encode()], "chmod": list(argument.split(","))}
    return getattr(client, name)(path, *arguments.get(name, []), tx=tx)


class Transaction:
    """An open one: what was asked, and what was answered."""

    def __init__(self, number: int, commits: int) -> None:
        self.number, self.commits = number, commits
        self.done: list[tuple[Step, object]] = []


class Stores(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.engine = Engine()
        self.told = list(self.engine.records())
        self.engine.on_commit = lambda changes: self.told.extend(
            (path, node and node.value, node.perms.lasting() if node else b"") for path, node in changes
        )
        self.model = Model()
        self.clients = [RawClient(self.engine), RawClient(self.engine)]
        self.open: list[list[Transaction]] = [[], []]
        self.commits = 0

    @rule(who=CLIENTS, step=STEPS)
    def ask(self, who: int, step: Step) -> None:
        assert send(self.clients[who], step) == self.model.do(step)
        self.commits += step[0] in ("write", "mkdir", "rm", "chmod")

    @rule(who=CLIENTS)
    def begin(self, who: int) -> None:
        self.open[who].append(Transaction(self.clients[who].begin(), self.commits))

    @precondition(lambda self: any(self.open))
    @rule(who=CLIENTS, which=st.integers(0, 5), steps=st.lists(STEPS, min_size=1, max_size=6))
    def ask_inside(self, who: int, which: int, steps: list[Step]) -> None:
        if self.open[who]:
            tx = self.open[who][which % len(self.open[who])]
            tx.done += [(step, send(self.clients[who], step, tx.number)) for step in steps]

    @precondition(lambda self: any(self.open))
    @rule(who=CLIENTS, which=st.integers(0, 5), commit=st.booleans())
    def end(self, who: int, which: int, commit: bool) -> None:
        if not self.open[who]:
            return
        tx = self.open[who].pop(which % len(self.open[who]))
        reply = self.clients[who].end(tx.number, "T" if commit else "F")
        if not commit:
            assert reply == wire.OK
        elif reply == "EAGAIN":
            assert tx.commits != self.commits, "a conflict with nobody"
        else:
            assert [self.model.do(step) for step, _seen in tx.done] == [seen for _step, seen in tx.done]
            self.commits += 1

    @rule(first=STEPS, outside=STEPS, second=STEPS, third=STEPS)
    def cross(self, first: Step, outside: Step, second: Step, third: Step) -> None:
        """What makes conflicts: a transaction with somebody else's request in its middle."""
        self.begin(0)
        last = len(self.open[0]) - 1
        self.ask_inside(0, last, [first])
        self.ask(1, outside)
        self.ask_inside(0, last, [second, third])
        self.end(0, last, True)

    @rule()
    def die(self) -> None:
        owned = [path for path, (_value, perms) in self.model.nodes.items() if perms == "n5"]
        self.engine.release(5)
        for path in owned:
            self.model.do(("rm", path, "")) if path != "/" else self.model.do(("chmod", "/", "n0"))
        for path, (value, perms) in self.model.nodes.items():
            self.model.nodes[path] = value, perms.removesuffix(",b5")
        self.commits += 1

    @invariant()
    def same_tree(self) -> None:
        tree = self.engine.tree
        found = {path.decode(): (node.value.decode(), node.perms.wire) for path, node in tree.walk()}
        assert found == {path: (value, perms_of(perms)) for path, (value, perms) in self.model.nodes.items()}
        assert len(tree.nodes) == len(found) + 2
        for path in self.model.nodes:
            assert self.clients[0].ls(path) == self.model.do(("ls", path, ""))

    @invariant()
    def same_usage(self) -> None:
        counted = Usage()
        for path, node in self.engine.tree.walk():
            assert node.names.size == sum(len(name) + 1 for name in node.names)
            if node.perms.owner == 5:
                counted.nodes += 1
                counted.memory += node.size(node.names.size) + len(path)
        usage = self.engine.tree.usage(5)
        assert (usage.nodes, usage.memory) == (counted.nodes, counted.memory)
        named = {path for path, node in self.engine.tree.walk() if 5 in node.perms.domids}
        assert set(self.engine.tree.naming(5)) == named

    def teardown(self) -> None:
        again = Engine()
        again.restore(self.told)
        assert list(again.records()) == list(self.engine.records())


def perms_of(text: str) -> bytes:
    return b"".join(perm.encode() + b"\0" for perm in text.split(","))


TestStores = Stores.TestCase
TestStores.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
