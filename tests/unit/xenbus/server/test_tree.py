from __future__ import annotations

import pytest

from xenbus.server.perms import Perms
from xenbus.server.tree import RELEASE_DOMAIN, Names, Tree, child, deepest_first, parent

NOBODY = Perms([(0, 0, False)])
FIVE = Perms([(5, 0, False)])
FOR_FIVE = Perms([(0, 0, False), (5, 1, False)])


@pytest.fixture
def tree() -> Tree:
    tree = Tree()
    for path in (b"/b", b"/b/10", b"/b/9", b"/b/10/x", b"/a"):
        tree.put(path, b"value", NOBODY)
    return tree


def test_names_keep_their_order(tree: Tree) -> None:
    assert list(tree.names(b"/")) == [b"b", b"a"]
    assert tree.names(b"/b").joined() == b"10\x009\0"
    tree.drop(b"/b/9")
    tree.put(b"/b/1", b"", NOBODY)
    tree.put(b"/b/9", b"", NOBODY)
    assert tree.names(b"/b").joined() == b"10\x001\x009\0"
    assert tree.names(b"/b").size == len(b"10\x001\x009\0")


def test_a_new_value_is_a_new_node_with_the_same_children(tree: Tree) -> None:
    old = tree.nodes[b"/b"]
    new = tree.put(b"/b", b"other", FIVE)
    assert (old.value, old.perms) == (b"value", NOBODY)
    assert (new.value, new.perms, new.names) == (b"other", FIVE, old.names)
    assert new.generation > old.generation


def test_walks(tree: Tree) -> None:
    assert [path for path, _node in tree.walk()] == [b"/", b"/b", b"/b/10", b"/b/10/x", b"/b/9", b"/a"]
    assert tree.below(b"/b") == [b"/b/10/x", b"/b/10", b"/b/9", b"/b"]


def test_usage_follows_every_change(tree: Tree) -> None:
    usage = tree.usage(5)
    tree.put(b"/b/9", b"1234", FIVE)
    assert (usage.nodes, usage.memory) == (1, 24 + 8 + 4 + 4)
    tree.put(b"/b/9/x", b"", FIVE)
    assert (usage.nodes, usage.memory) == (2, 40 + 2 + 32 + 6)
    tree.put(b"/b/9", b"1", FIVE)
    assert usage.memory == 77
    tree.drop(b"/b/9/x")
    tree.put(b"/b/9", b"1", NOBODY)
    assert (usage.nodes, usage.memory) == (0, 0)


def test_who_is_named_where(tree: Tree) -> None:
    tree.put(b"/a", b"", FIVE)
    tree.put(b"/b/9", b"", FOR_FIVE)
    tree.put(b"/b/10/x", b"", FIVE)
    assert tree.naming(5) == [b"/b/10/x", b"/b/9", b"/a"]
    tree.put(b"/b/9", b"", NOBODY)
    tree.drop(b"/b/10/x")
    assert tree.naming(5) == [b"/a"]
    tree.put(RELEASE_DOMAIN, b"", FOR_FIVE)
    assert set(tree.naming(5)) == {b"/a", RELEASE_DOMAIN}
    tree.forget(5)
    assert tree.naming(5) == []


def test_paths() -> None:
    assert parent(b"/a/b") == b"/a"
    assert parent(b"/a") == parent(b"/") == parent(b"@x") == b"/"
    assert parent(b"@x/5") == b"@x"
    assert child(b"/", b"a") == b"/a"
    assert child(b"/a", b"b") == b"/a/b"


def test_depth_is_no_matter() -> None:
    names = {b"/a" * depth: [b"a"] for depth in range(1, 5000)}
    walked = list(deepest_first(b"/a", lambda path: names.get(path, [])))
    assert len(walked) == 5000
    assert walked[-1] == b"/a"


def test_joined_names_are_made_once() -> None:
    names = Names()
    names.add(b"a", 1)
    assert names.joined() is names.joined()
