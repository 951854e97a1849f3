from __future__ import annotations

import pytest

from xenbus.perm import Perm
from xenbus.request import Mkdir, Remove, Request, SetPerms, Write
from xenvm.cli.store.danger import danger, dangers, grave

BACK = "/local/domain/0/backend/vbd/5/51712"


@pytest.mark.parametrize(
    "request_",
    [
        Remove("/local"),
        Remove("/local/domain/0"),
        SetPerms("/", [Perm(0)]),
        Remove("/local/domain/5"),
        Remove("/libxl/5"),
        Write("/libxl/5/type"),
        Write(f"{BACK}/state", b"5"),
        Write("backend/vbd/5/51712/state", b"5"),
        Remove(BACK),
        Write(f"{BACK}/hotplug-status"),
        Write("/local/domain/5/device/vbd/51712/state", b"6"),
        Write("/local/domain/5/control/shutdown", b"halt"),
        Write("/local/domain/5/name", b"x"),
        Write("/tool/xenstored/domid", b"1"),
        SetPerms("/vm", [Perm(0)]),
        SetPerms("@releaseDomain", [Perm(0)]),
    ],
    ids=repr,
)
def test_dangerous(request_: Request) -> None:
    assert danger(request_)


@pytest.mark.parametrize(
    "request_",
    [
        Write("/mine/a"),
        Remove("/mine"),
        Write("/local/domain/5/data/x"),
        Mkdir("/local/domain/5"),
        Write("/local/domain/7", b""),
        Write(f"{BACK}/my-note"),
        SetPerms("/local/domain/5/control/shutdown", [Perm(5)]),
    ],
    ids=repr,
)
def test_harmless(request_: Request) -> None:
    assert danger(request_) is None


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/local", "/local/domain", "/local/domain/0", "/local/domain/0/backend", "/vm", "/libxl", "/tool"),
        *("/local/domain/5", "/libxl/5", "/local/domain/0/backend/vbd", "backend/vbd", "/local/domain/3/backend"),
        *(BACK, f"{BACK[:-6]}", "/local/domain/5/device", "/local/domain/5/device/vbd/51712"),
    ],
)
def test_what_a_script_must_mean(path: str) -> None:
    assert grave(path, lambda domid: domid == 5)
    assert path == "/" or grave(f"{path}/", lambda domid: domid == 5)


@pytest.mark.parametrize(
    "path",
    [
        *("/mine", "/local/domain/7", "/libxl/7", "/libxl/5/x", "/local/domain/0/backend/vbd/7", "/vm/some-uuid"),
        *("/local/domain/7/device", "/local/domain/5/data", f"{BACK}/state", "/local/domain/5/device/vbd/51712/state"),
        *("/local/domain/junk", "/tool/mine", "/local/domain/0/xenvm-test"),
    ],
)
def test_what_a_script_may_remove(path: str) -> None:
    assert grave(path, lambda domid: domid == 5) is None


def test_many_are_told_in_few_words() -> None:
    found = dangers([Write(f"/libxl/{number}/x") for number in range(5)])
    assert len(found) == 4 and found[-1] == "and 2 more"
    assert dangers([Write("/a")]) == []
