"""The commands that look: the xenstore-* tools' formats, JSON, exit codes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from tests.support.fakestore import FakeStore
from tests.unit.cli.conftest import Xenvm
from tests.unit.cli.store.conftest import FRONT
from xenbus.perm import Perm


def test_ls(fake: FakeStore, xenvm: Xenvm) -> None:
    assert xenvm("store", "ls", "/local/domain/5") == (
        0,
        'name = "guest"\ndevice = ""\n vbd = ""\n  51712 = ""\n   state = "4"\n   ring-ref = "8"\n'
        'odd = "a\\000b\\n\\xff"\n',
        "",
    )
    assert xenvm("store", "ls", "-f", "-d", "1", "/local/domain/5")[1].splitlines() == [
        '/local/domain/5/name = "guest"',
        '/local/domain/5/device = ""',
        '/local/domain/5/odd = "a\\000b\\n\\xff"',
    ]
    assert xenvm("store", "ls", "-fp", "/local/domain/5")[1].splitlines()[0] == (
        '/local/domain/5/name = "guest"   (n0,r5)'
    )
    assert xenvm("store", "ls", "-p", "/local/domain/5")[1].splitlines()[0] == (
        'name = "guest" . . . . . . . . . . . . . . . . . . . . . . .  (n0,r5)'
    )


def test_relative_paths_are_the_servers(fake: FakeStore, xenvm: Xenvm) -> None:
    fake.put("/local/domain/0/rel/a", "1")
    assert xenvm("store", "ls", "-f", "rel")[1] == 'rel/a = "1"\n'
    assert xenvm("store", "list", "-p", "rel")[1] == "rel/a\n"
    assert xenvm("store", "read", "-p", "rel/a")[1] == "rel/a: 1\n"


def test_ls_as_json(fake: FakeStore, xenvm: Xenvm) -> None:
    found = json.loads(xenvm("store", "ls", "--json", "-p", "/local/domain/5")[1])
    assert found["version"] == 1
    assert found["nodes"][0] == {"path": "/local/domain/5/name", "value": "guest", "perms": "n0,r5"}
    assert found["nodes"][4] == {"path": f"{FRONT}/state", "value": "4", "perms": "n0", "meaning": "4 Connected"}
    assert found["nodes"][6]["base64"] == "YQBiCv8="


def test_another_store(fake: FakeStore, xenvm: Xenvm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XENSTORED_PATH", "/no/such/socket")
    assert xenvm("store", "read", "--socket", fake.path, "/local/domain/5/name") == (0, "guest\n", "")
    code, out, err = xenvm("store", "read", "/local/domain/5/name")
    assert (code, out) == (1, "") and "no store answers" in err


def test_read(fake: FakeStore, xenvm: Xenvm) -> None:
    assert xenvm("store", "read", "/local/domain/5/odd", "/local/domain/5/name")[1] == "a\\000b\\n\\xff\nguest\n"
    fake.put("/x", b"a\0b")
    assert xenvm("store", "read", "-R", "/x") == (0, "a\0b", "")
    code, out, err = xenvm("store", "read", "/x", "/none")
    assert (code, out, err) == (1, "a\\000b\n", "xenvm: the store refused read /none: it does not exist (ENOENT)\n")
    assert json.loads(xenvm("store", "read", "--json", "/x")[1])["nodes"] == [{"path": "/x", "value": "a\0b"}]


def test_list(fake: FakeStore, xenvm: Xenvm) -> None:
    assert xenvm("store", "list", "/local/domain/5")[1] == "name\ndevice\nodd\n"
    assert xenvm("store", "list", "-p", "/")[1] == "/local\n"
    assert json.loads(xenvm("store", "list", "--json", "/")[1])["children"] == {"/": ["local"]}
    assert xenvm("store", "list", "/none")[0] == 1


def test_exists(fake: FakeStore, xenvm: Xenvm) -> None:
    assert xenvm("store", "exists", "/local", FRONT) == (0, "", "")
    assert xenvm("store", "exists", "/local", "/none") == (1, "", "")
    fake.inject(fake.count + 1, "EACCES")
    assert "permission denied" in xenvm("store", "exists", "/local")[2]


def test_tree(fake: FakeStore, xenvm: Xenvm) -> None:
    fake.put("/local/domain/5/device/vif", "x")
    assert xenvm("store", "tree", "/local/domain/5")[1].splitlines() == [
        "/local/domain/5",
        '├─ name  "guest"',
        "├─ device",
        "│  ├─ vbd",
        "│  │  └─ 51712",
        "│  │     ├─ state  4 Connected",
        '│  │     └─ ring-ref  "8"  grant 8',
        '│  └─ vif  "x"',
        '└─ odd  "a\\000b\\n\\xff"',
    ]
    assert xenvm("store", "tree", "-p", "-d", "0", "/local/domain/5")[1] == "/local/domain/5\n"


def test_find(fake: FakeStore, xenvm: Xenvm) -> None:
    assert xenvm("store", "find", "state") == (0, f'{FRONT}/state = "4"\n', "")
    assert xenvm("store", "find", "*", "-v", "gue")[1] == '/local/domain/5/name = "guest"\n'
    assert xenvm("store", "find", "*", "-v", "\\000")[1].startswith("/local/domain/5/odd")
    fake.tree[FRONT] = b"", (Perm(5),)
    assert xenvm("store", "find", "*/vbd/*", "-o", "5")[1] == f'{FRONT} = ""   (n5)\n'
    assert xenvm("store", "find", "none") == (1, "", "")
    assert json.loads(xenvm("store", "find", "state", "--json")[1])["nodes"][0]["path"] == f"{FRONT}/state"


def test_explain(fake: FakeStore, xenvm: Xenvm) -> None:
    lines = xenvm("store", "explain", "/local/domain/5/name")[1].splitlines()
    assert lines[0] == "/local/domain/5/name  (n0,r5)"
    assert "  Domain 5 may read it, not write it: the entry r5." in lines
    assert xenvm("store", "explain", "/local", "--as", "7")[1].splitlines()[1] == (
        "  Domain 7 may neither read nor write it: no entry names it, so the letter of the first, n0, decides."
    )
    assert json.loads(xenvm("store", "explain", "/local", "--json")[1])["perms"] == "n0"


def test_stat(fake: FakeStore, xenvm: Xenvm) -> None:
    lines = xenvm("store", "stat")[1].splitlines()
    assert lines[0].split() == ["domid", "name", "nodes", "watches", "transactions", "outstanding", "memory"]
    assert lines[1].split() == ["0", "-", "11", "-", "-", "-", "-"]
    found = json.loads(xenvm("store", "stat", "--json")[1])
    assert found["domains"][1]["name"] == "guest" and found["limits"] == {}


def test_control(fake: FakeStore, xenvm: Xenvm) -> None:
    assert xenvm("store", "control", "check") == (0, "OK\n", "")
    assert fake.log[-1] == ("CONTROL", "check")
    assert xenvm("store", "control", "live-update", "-s")[0] == 0


def test_the_group_alone_takes_commands_from_a_pipe(
    fake: FakeStore, xenvm: Xenvm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("read /local/domain/5/name\nread /none\nwrite /a 1\n"))
    code, out, err = xenvm("store")
    assert (code, out) == (1, "guest\n") and "read /none" in err and fake.get("/a") is None
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert xenvm("store") == (0, "", "")
    assert xenvm("store", "nothing")[0] == 2


def test_a_tree_as_json(fake: FakeStore, xenvm: Xenvm) -> None:
    code, out, _ = xenvm("store", "tree", "--json", "/local/domain/5/device")
    found = json.loads(out)
    disk = found["tree"]["children"]["vbd"]["children"]["51712"]
    assert (code, found["version"], found["tree"]["path"]) == (0, 1, "/local/domain/5/device")
    assert disk["children"]["state"]["meaning"] == "4 Connected" and disk["children"]["ring-ref"]["children"] == {}


def test_a_snapshot_is_looked_at_like_a_store(
    fake: FakeStore, xenvm: Xenvm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = str(tmp_path / "then.json")
    code, live, _ = xenvm("store", "ls", "-f", "-p", "/local")
    assert code == 0 and xenvm("store", "export", "-o", file)[0] == 0
    monkeypatch.setenv("XENSTORED_PATH", "/nowhere")
    assert xenvm("store", "ls", "-f", "-p", "--socket", file, "/local") == (0, live, "")
    assert xenvm("store", "read", "--socket", file, "/local/domain/5/odd") == (0, "a\\000b\\n\\xff\n", "")
    assert xenvm("store", "find", "--socket", file, "state")[0] == 0
    for words in (("write", "/a", "1"), ("rm", "/local"), ("watch", "/local")):
        code, _, err = xenvm("store", words[0], "--socket", file, *words[1:])
        assert code == 1 and err == f"xenvm: {file} is a snapshot, not a live store\n"


def test_a_file_that_is_no_snapshot(fake: FakeStore, xenvm: Xenvm, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("no")
    code, _, err = xenvm("store", "ls", "--socket", str(tmp_path / "x"))
    assert code == 1 and "is not JSON" in err
