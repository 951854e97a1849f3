from __future__ import annotations

import errno

import pytest

from xenbus import errors, wire


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ENOENT", errors.NotFound),
        ("EAGAIN", errors.Conflict),
        ("EPERM", errors.AccessDenied),
        ("ENOSYS", errors.Unsupported),
        ("EROFS", errors.StoreError),
    ],
)
def test_types(name: str, kind: type[errors.StoreError]) -> None:
    error = errors.store_error(name, "read", "/a")
    assert type(error) is kind
    assert error.errno == getattr(errno, name)


@pytest.mark.parametrize("name", sorted(wire.ERROR_NAMES))
def test_every_sentence_names_operation_path_and_error(name: str) -> None:
    text = str(errors.store_error(name, "write", "/a/b"))
    assert "write /a/b" in text and f"({name})" in text and "\n" not in text


def test_without_a_path() -> None:
    assert str(errors.store_error("EBUSY", "start a transaction")) == (
        "the store refused start a transaction: it is in use (EBUSY)"
    )
