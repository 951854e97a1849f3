"""Commands over libvirt: the same words, tables and exit codes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Xenvm
from xenvm.cli import run

libvirt = pytest.importorskip("libvirt")


@pytest.fixture(autouse=True)
def on_libvirt(xenvm: Xenvm, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """libvirt's test driver, whose guests are there for as long as one connection is."""
    monkeypatch.setattr(run, "chosen_host", "libvirt:test:///default")
    connection = libvirt.open("test:///default")
    yield
    connection.close()


def config(folder: Path, more: str = "") -> str:
    path = folder / "g.cfg"
    path.write_text(f'name = "g"\nkernel = "/k"\nmemory = 64\n{more}')
    return str(path)


def test_a_whole_life(xenvm: Xenvm, tmp_path: Path) -> None:
    assert xenvm("create", "-q", config(tmp_path)) == (0, "", "")
    domid = xenvm("domid", "g")[1].strip()
    assert xenvm("domname", domid) == (0, "g\n", "")
    code, out, _ = xenvm("list", "--json")
    assert code == 0 and [one["name"] for one in json.loads(out)["domains"]] == ["test", "g"]
    assert xenvm("list")[1].splitlines()[2].split()[:4] == ["g", domid, "64", "1"]
    assert [xenvm(verb, "g")[0] for verb in ("pause", "unpause")] == [0, 0]
    assert xenvm("shutdown", "-w", "g")[0] == 0
    assert xenvm("destroy", "g")[0] == 3


def test_from_libvirts_own_xml(xenvm: Xenvm, tmp_path: Path) -> None:
    path = tmp_path / "g.xml"
    assert xenvm("convert", "-o", str(path), config(tmp_path)) == (0, "", "")
    assert xenvm("create", str(path))[0] == 0
    assert xenvm("destroy", "g")[0] == 0


def test_what_libvirt_could_not_build_is_refused(xenvm: Xenvm, tmp_path: Path) -> None:
    code, _, err = xenvm("create", config(tmp_path, 'vuart = "sbsa_uart"\n'))
    assert code == 7 and err == f"xenvm: {tmp_path}/g.cfg:4:1: libvirt's XML has no place for `vuart'\n"
    assert xenvm("domid", "g")[0] == 3


@pytest.mark.parametrize("words", [("rename", "a", "b"), ("store", "ls"), ("mem-set", "test", "64")])
def test_what_is_not_there(xenvm: Xenvm, words: tuple[str, ...]) -> None:
    code, _, err = xenvm(*words)
    assert code == 7 and "does not work over libvirt: there are create, list" in err


def test_options_that_are_for_our_own_guests(xenvm: Xenvm, tmp_path: Path) -> None:
    code, _, err = xenvm("create", "-F", "--timing", config(tmp_path))
    assert code == 7 and "-F, --timing of create" in err
    assert xenvm("create", "-c", config(tmp_path))[0] == 7 and xenvm("domid", "g")[0] == 3


@pytest.mark.parametrize("words", [("list", "-l"), ("list", "-n"), ("info", "-x"), ("info", "-n")])
def test_what_libvirt_does_not_tell_is_not_passed_over(xenvm: Xenvm, words: tuple[str, ...]) -> None:
    reason = f"xenvm: {' '.join(words)} does not work over libvirt, which does not tell\n"
    assert xenvm(*words) == (7, "", reason)


def test_info(xenvm: Xenvm) -> None:
    assert xenvm("info", "libvirt_driver") == (0, "TEST\n", "")


def test_no_console(xenvm: Xenvm) -> None:
    assert xenvm("console", "--tty", "test") == (1, "", "xenvm: test has no console with a terminal\n")


def test_usage(xenvm: Xenvm) -> None:
    assert xenvm("shutdown")[0] == 2 and xenvm("create")[0] == 2
