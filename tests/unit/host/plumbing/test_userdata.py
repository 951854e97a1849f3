from __future__ import annotations

from pathlib import Path

import pytest

from xenvm.errors import DomainError, NoSuchDomain
from xenvm.host.plumbing.userdata import UserData
from xenvm.types import Domid

UUID = "3f1d2c4b-0b7e-4a55-9c1e-2f6f6d1e9a01"


@pytest.fixture
def data(tmp_path: Path) -> UserData:
    return UserData(Domid(7), UUID, str(tmp_path))


def test_config_is_libxls_file(data: UserData, tmp_path: Path) -> None:
    data.write_config('{"c_info": {}}')
    path = tmp_path / f"userdata-d.7.{UUID}.libxl-json"
    assert path.read_bytes() == b'{"c_info": {}}\0'
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert data.read_config() == '{"c_info": {}}'


def test_write_replaces_as_a_whole(data: UserData) -> None:
    data.write("xl", b"a long first version")
    data.write("xl", b"short")
    assert data.read("xl") == b"short"


def test_a_missing_file_is_none(data: UserData) -> None:
    assert data.read("xl") is None
    assert data.read_config() is None


def test_delete_all_takes_every_kind_of_this_domain_only(data: UserData, tmp_path: Path) -> None:
    doomed = [f"userdata-{kind}.7.{UUID}.{what}" for kind, what in (("d", "xl"), ("n", "libxl-json"), ("l", "other"))]
    kept = [
        f"userdata-l.7.{UUID}.domain-userdata-lock",
        f"userdata-d.70.{UUID}.xl",
        f"userdata-d.7.{UUID[:-1]}2.xl",
        f"userdata-dd.7.{UUID}.xl",
        "xenstore",
    ]
    for name in doomed + kept:
        (tmp_path / name).touch()
    data.delete_all()
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(kept)


def test_delete_all_without_the_folder(tmp_path: Path) -> None:
    UserData(Domid(1), UUID, str(tmp_path / "none")).delete_all()


def test_lock_is_libxls_file_and_goes_away(data: UserData, tmp_path: Path) -> None:
    path = tmp_path / f"userdata-l.7.{UUID}.domain-userdata-lock"
    with data.lock(lambda: path.exists()):
        assert path.exists()
    assert not path.exists()


def test_lock_of_a_domain_that_is_gone(data: UserData, tmp_path: Path) -> None:
    with pytest.raises(NoSuchDomain):
        data.lock(lambda: False)
    assert not list(tmp_path.iterdir())


def test_failure_names_the_file_and_the_domain(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    data = UserData(Domid(7), UUID, str(tmp_path / "file"))
    with pytest.raises(DomainError, match="cannot write the userdata xl of domain 7: File exists"):
        data.write("xl", b"x")
