from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xenbus.dump import from_text, restore, to_object
from xenbus.errors import InvalidValue
from xenbus.perm import Perm
from xenbus.request import SetPerms, Write
from xenbus.tree import Node


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r"(/[a-z0-9_@-]{1,5}){1,3}", fullmatch=True),
        st.builds(
            Node,
            st.none() | st.binary(max_size=20),
            st.none()
            | st.lists(st.builds(Perm, st.integers(0, 9), st.booleans(), st.booleans()), min_size=1).map(tuple),
        ),
    )
)
def test_there_and_back(snapshot: dict[str, Node]) -> None:
    back = from_text(json.dumps(to_object(snapshot)))
    assert (back, list(back)) == (snapshot, list(snapshot))


def test_text_stays_readable() -> None:
    found = to_object({"/a": Node("grüße".encode(), (Perm(0), Perm(5, True))), "/b": Node(b"\xff"), "/c": Node(None)})
    assert found == {
        "xenstore": 1,
        "nodes": [
            {"path": "/a", "value": "grüße", "perms": "n0,r5"},
            {"path": "/b", "base64": "/w=="},
            {"path": "/c", "value": None},
        ],
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "file is not JSON"),
        ("[" * 100_000, "file is not JSON"),
        ("[]", "no snapshot"),
        ('{"xenstore": 2, "nodes": []}', "no snapshot"),
        ('{"xenstore": 1, "nodes": {}}', "no snapshot"),
        ('{"xenstore": 1, "nodes": [{"path": "/a"}, {"path": "/a/"}]}', "node 2: it has no path"),
        ('{"xenstore": 1, "nodes": [7]}', "node 1: it has no path"),
        ('{"xenstore": 1, "nodes": [{"path": "/a", "value": 5}]}', "node 1: its value is no text"),
        ('{"xenstore": 1, "nodes": [{"path": "/a", "base64": "?"}]}', "node 1: "),
        ('{"xenstore": 1, "nodes": [{"path": "/a", "perms": "x1"}]}', "node 1: 'x1' is not a permission"),
        ('{"xenstore": 1, "nodes": [{"path": "/a", "perms": []}]}', "node 1: its permissions are no text"),
    ],
)
def test_what_is_no_snapshot_is_told(text: str, message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        from_text(text, "file")


SNAPSHOT = {"/a": Node(b"", (Perm(0),)), "/a/b": Node(b"1", (Perm(5),)), "/a/c": Node(None)}


def test_restore() -> None:
    assert list(restore({"/": Node(b""), **SNAPSHOT})) == [
        *(Write("/a"), SetPerms("/a", [Perm(0)]), Write("/a/b", b"1"), SetPerms("/a/b", [Perm(5)]))
    ]
    assert list(restore(SNAPSHOT, old="/a", new="/x/y", perms=False)) == [Write("/x/y"), Write("/x/y/b", b"1")]
    assert list(restore(SNAPSHOT, old="/a", new="/", perms=False)) == [Write("/b", b"1")]
    with pytest.raises(InvalidValue, match="/a is not below /b"):
        list(restore(SNAPSHOT, old="/b", new="/x"))
