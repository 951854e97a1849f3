"""Modules found at one look are the ones that Python itself would have found."""

from __future__ import annotations

import importlib.util
import marshal
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from xenvm.cli.finder import Finder

TOP = Path(__file__).parents[3]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package ``pack`` of the modules ``part`` and ``sub`` (a package); the finder is installed for it."""
    folder = tmp_path / "pack"
    (folder / "sub").mkdir(parents=True)
    for name in ("__init__.py", "part.py", "sub/__init__.py"):
        (folder / name).write_text("value = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", [Finder("pack"), *sys.meta_path])
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    yield folder
    forget()


def forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "pack"]:
        del sys.modules[name]


def load(name: str) -> ModuleType:
    forget()
    return importlib.import_module(name)


def byte_code(source: Path) -> Path:
    return Path(importlib.util.cache_from_source(str(source)))


def test_a_module_is_like_one_that_python_found(package: Path) -> None:
    found = load("pack.part")
    assert type(found.__loader__).__name__ == "_Loader"
    assert found.__file__ == str(package / "part.py")
    assert found.__package__ == "pack"
    assert load("pack.sub").__path__ == [str(package / "sub")]
    assert byte_code(package / "part.py").exists(), "the first import writes byte code"


def test_byte_code_is_used(package: Path) -> None:
    load("pack.part")
    cache = byte_code(package / "part.py")
    head, body = cache.read_bytes()[:16], cache.read_bytes()[16:]
    other = compile("value = 2", "part.py", "exec")
    cache.write_bytes(head + marshal.dumps(other))
    assert load("pack.part").value == 2
    cache.write_bytes(b"\0" * 16 + body)
    assert load("pack.part").value == 1, "byte code of another Python"


@pytest.mark.parametrize("text", ["value = 3\n", "value = 1234\n"], ids=["another time", "another size"])
def test_a_changed_source_counts(package: Path, text: str) -> None:
    load("pack.part")
    source = package / "part.py"
    before = source.stat()
    source.write_text(text)
    later = before.st_mtime + (0 if len(text) != before.st_size else 5)
    os.utime(source, (later, later))
    assert load("pack.part").value == int(text.split()[2])


def test_the_cache_may_be_elsewhere(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path / "cache"))
    load("pack.part")
    cache = byte_code(package / "part.py")
    assert cache.is_relative_to(tmp_path / "cache")
    cache.write_bytes(cache.read_bytes()[:16] + b"\xff")
    with pytest.raises(ValueError, match="bad marshal data"):
        load("pack.part")


def test_what_is_not_there_or_not_asked_for_is_left_to_python(package: Path) -> None:
    with pytest.raises(ModuleNotFoundError, match=r"pack\.none"):
        load("pack.none")
    assert Finder("pack").find_spec("other.part", [str(package)]) is None
    assert Finder("pack").find_spec("pack") is None


def test_the_program_uses_it() -> None:
    script = (
        "import sys; from xenvm.cli import main, run;"
        "run.leave = lambda code: print(type(sys.modules['xenvm.cli.domains'].__loader__).__name__);"
        "main(['domid', 'x'])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=TOP, capture_output=True, text=True, check=True)
    assert done.stdout == "_Loader\n"
