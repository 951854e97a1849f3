from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable

from tests.support.fakestore import FakeStore
from tests.unit.cli.conftest import Xenvm
from xenbus.client import connect
from xenbus.request import Write


def once_watched(fake: FakeStore, work: Callable[[], None]) -> None:
    while not fake.ops["WATCH"]:
        pass
    work()


def test_as_xenstore_watch(fake: FakeStore, xenvm: Xenvm) -> None:
    assert xenvm("store", "watch", "-n", "2", "/local", "@releaseDomain") == (0, "/local\n@releaseDomain\n", "")
    assert fake.ops["UNWATCH"] == 2
    assert xenvm("store", "watch", "-n", "1", "/local", "/local") == (0, "/local\n", "")


def test_values_and_times(fake: FakeStore, xenvm: Xenvm) -> None:
    code, out, _err = xenvm("store", "watch", "-n", "2", "-v", "-t", "/local/domain/5/odd", "/none")
    assert code == 0
    first, second = out.splitlines()
    assert re.fullmatch(r'\d\d:\d\d:\d\d\.\d{3} /local/domain/5/odd = "a\\000b\\n\\xff"', first)
    assert second.endswith(" /none  (none)")


def test_json_lines(fake: FakeStore, xenvm: Xenvm) -> None:
    lines = xenvm("store", "watch", "-n", "2", "--json", "/local/domain/5/odd", "/none")[1].splitlines()
    assert [json.loads(line).get("base64") for line in lines] == ["YQBiCv8=", None]
    assert (json.loads(lines[1])["path"], json.loads(lines[1])["version"]) == ("/none", 1)


def test_depth(fake: FakeStore, xenvm: Xenvm) -> None:
    def change(path: str, value: bytes | None) -> None:
        if path == "/go":
            for other in ("/w/a/b", "/w/a", "/w", "/w/a/b/c"):
                fake.put(other, "1")

    fake.on_write("/go", change)
    thread = threading.Thread(target=lambda: once_watched(fake, lambda: fake.put("/go")))
    thread.start()
    assert xenvm("store", "watch", "-n", "3", "-d", "1", "/w")[1] == "/w\n/w/a\n/w\n"
    thread.join()


def test_no_event_of_many_is_lost(fake: FakeStore, xenvm: Xenvm) -> None:
    def write() -> None:
        with connect(fake.path) as other:
            for begin in range(0, 2000, 50):
                other.batch([Write(f"/w/{number}", b"x") for number in range(begin, begin + 50)])

    thread = threading.Thread(target=lambda: once_watched(fake, write))
    thread.start()
    lines = xenvm("store", "watch", "-n", "2001", "-v", "/w")[1].splitlines()
    thread.join()
    assert lines[1:] == [f'/w/{number} = "x"' for number in range(2000)]
