from __future__ import annotations

import pytest

from xenbus import path
from xenbus.errors import InvalidPath, XenbusError


@pytest.mark.parametrize(
    "good", ["/", "/local/domain/0", "domid", "a-B_9@x/c", "/" + "a" * 3071, "a" * 2048, "/local/domain/0/@x"]
)
def test_allowed(good: str) -> None:
    assert path.encode_path(good) == good.encode()


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "/a/",
        "a/",
        "//a",
        "/a//b",
        "/a b",
        "/a+b",
        "/a\0b",
        "/a.b",
        "/\u00e4",
        "/\udc80",
        "/" + "a" * 3072,
        "a" * 2049,
        "@releaseDomain",
    ],
)
def test_refused(bad: str) -> None:
    with pytest.raises(InvalidPath, match="is not a store path") as info:
        path.encode_path(bad)
    assert isinstance(info.value, XenbusError) and isinstance(info.value, ValueError)
    assert len(str(info.value)) < 200
    assert not path.is_path(bad)


def test_special_nodes_where_they_are_allowed() -> None:
    assert path.encode_path("@releaseDomain/5", special=True) == b"@releaseDomain/5"


def test_parts() -> None:
    assert path.join("/a", "b", "c/d") == "/a/b/c/d"
    assert path.join("/", "a") == "/a"
    assert [path.parent(p) for p in ("/a/b", "/a", "a")] == ["/a", "/", ""]
    assert path.basename("/a/b") == "b"


def test_under_goes_by_whole_names() -> None:
    assert path.is_under("/a/b", "/a")
    assert path.is_under("/a", "/a")
    assert path.is_under("/a", "/")
    assert not path.is_under("/ab", "/a")
    assert not path.is_under("/", "/a")
