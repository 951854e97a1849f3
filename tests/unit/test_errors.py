"""The errors of both packages, as the docstrings of their modules draw them."""

from __future__ import annotations

import re
from types import ModuleType

import pytest

import xenbus.errors
import xenvm.errors
import xenvm.lab.errors


def tree(root: type[Exception], module: ModuleType, depth: int = 0) -> list[tuple[int, str]]:
    """The classes of a module below one, with their depths."""
    found = [(depth, root.__name__)]
    for kind in root.__subclasses__():
        if kind.__module__ == module.__name__:
            found += tree(kind, module, depth + 1)
    return found


def drawn(text: str) -> list[tuple[int, str]]:
    """The same from a drawing."""
    return [(len(indent) // 4, name) for indent, name in re.findall(r"^    ([│├└─ ]*)([A-Z]\w+)", text, re.MULTILINE)]


@pytest.mark.parametrize(
    ("root", "module"),
    [
        (xenbus.errors.XenbusError, xenbus.errors),
        (xenvm.errors.XenvmError, xenvm.errors),
        (xenvm.lab.errors.LabError, xenvm.lab.errors),
    ],
)
def test_the_drawing_has_every_error(root: type[Exception], module: ModuleType) -> None:
    assert sorted(drawn(module.__doc__ or "")) == sorted(tree(root, module))
