from __future__ import annotations

import pytest

from tests.support.fakestore import FakeStore
from xenbus.access import GuestView, explain, place, rights
from xenbus.client import Store
from xenbus.errors import AccessDenied, NotFound
from xenbus.perm import DOMID_ANY, Perm, parse_perms
from xenbus.request import Read
from xenbus.tree import Node, walk


@pytest.mark.parametrize(
    ("perms", "domid", "may"),
    [
        ("n0,r5", 0, "rw"),
        ("n0,r5", 5, "r"),
        ("n0,r5", 6, ""),
        ("b0,n5", 5, ""),
        ("b0,n5", 6, "rw"),
        ("n5,r0", 5, "rw"),
        ("n5,r0", 0, "rw"),
        ("n0,w5,r5", 5, "w"),
        (f"n0,r{DOMID_ANY},b5", 5, "r"),
    ],
)
def test_rights(perms: str, domid: int, may: str) -> None:
    found = rights(parse_perms(perms), domid)
    assert ("r" if found.read else "") + ("w" if found.write else "") == may


def test_an_explanation_in_words() -> None:
    assert explain("/local/domain/5/device/vbd/51712/state", parse_perms("n5,r2,b2,w7")) == [
        "It is of the front end of vbd 51712, which domain 5 drives.",
        "Domain 5 owns it, and so may read it, write it and change its permissions.",
        "Domain 0 is privileged, as is every client of the socket: it may do the same.",
        "Domain 2 may read it, not write it: the entry r2.",
        "The entry b2 adds nothing: what domain 2 may do is said before.",
        "Domain 7 may write it, not read it: the entry w7.",
        "All other domains may neither read nor write it: the letter of the first entry, n5.",
        "Who may write it may also remove it with all below, and make nodes below it, which inherit this.",
    ]


def test_an_entry_for_all_domains_ends_the_list() -> None:
    lines = explain("/x", parse_perms(f"n0,r{DOMID_ANY},b5"))
    assert lines[1] == "All domains may read it, not write it: the entry r32757."
    assert lines[2] == "The entry b5 adds nothing: what domain 5 may do is said before."
    assert not any("All other domains" in line for line in lines)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/libxl/5/device", "toolstack"),
        ("/local/domain/0/backend/vif/5/0/mac", "back end in domain 0 of vif 0 of domain 5"),
        ("/local/domain/5/data", "home of domain 5"),
        ("/vm/uuid", "by its uuid"),
        ("/tool/xenstored", "daemons"),
        ("/", ""),
    ],
)
def test_places(path: str, words: str) -> None:
    assert words in place(path)


@pytest.fixture
def guest(store: Store, fake: FakeStore) -> GuestView:
    fake.put("/local/domain/5/name", "g")
    fake.put("/local/domain/5/secret/deep", "s")
    store.set_perms("/local/domain/5", [Perm(0), Perm(5, read=True)])
    store.set_perms("/local/domain/5/name", [Perm(0), Perm(5, read=True)])
    return GuestView(store, 5)


def test_what_a_guest_sees(guest: GuestView) -> None:
    assert guest.read("name") == b"g"
    assert guest.list("/local/domain/5") == ("name", "secret")
    assert walk(guest, "/local/domain/5") == {
        "/local/domain/5": Node(b""),
        "/local/domain/5/name": Node(b"g"),
        "/local/domain/5/secret": Node(None),
    }


def test_what_a_guest_does_not_see(guest: GuestView) -> None:
    with pytest.raises(AccessDenied, match="list /"):
        guest.list("/")
    with pytest.raises(AccessDenied, match="read /local/domain/5/secret/deep"):
        guest.read("secret/deep")
    with pytest.raises(NotFound):
        guest.read("none")
    with pytest.raises(AccessDenied):
        guest.read("secret/none/at/all")  # that there is nothing is a secret too
    assert isinstance(guest.batch([Read("name"), Read("/tool")])[1], AccessDenied)


def test_a_guest_changes_nothing(guest: GuestView, fake: FakeStore) -> None:
    with pytest.raises(AccessDenied, match="write name through the eyes of domain 5"):
        guest.write("name", "x")
    assert fake.get("/local/domain/5/name") == b"g"
