"""Our nodes equal those that xl left in xenstore for the same configurations."""

from __future__ import annotations

import re

import pytest

from tests.golden import stores
from tests.golden.configs import STORES, STORES_RUNNING

RELEASES = ((4, 17), (4, 20))


def golden(release: tuple[int, int], name: str, state: str) -> stores.Listing:
    return stores.from_text((stores.FOLDER / "{}.{}".format(*release) / f"{name}-{state}.txt").read_text())


def compared(listing: stores.Listing) -> list[str]:
    return stores.as_text(stores.without(listing, stores.LATER + stores.DIFFERENCES)).splitlines()


@pytest.mark.parametrize("name", STORES)
@pytest.mark.parametrize("release", RELEASES)
def test_our_nodes_are_xls(release: tuple[int, int], name: str) -> None:
    assert compared(stores.ours(STORES[name], release)) == compared(golden(release, name, "paused"))


@pytest.mark.parametrize("name", STORES_RUNNING)
@pytest.mark.parametrize("release", RELEASES)
def test_a_running_guest_has_all_of_them(release: tuple[int, int], name: str) -> None:
    running, ours = golden(release, name, "running"), stores.ours(STORES[name], release)
    assert {path: running[path][1] for path in ours} == {path: perms for path, (_, perms) in ours.items()}


@pytest.mark.parametrize("rule", [rule for rule, _ in stores.LATER])
@pytest.mark.parametrize("release", RELEASES)
def test_every_exception_is_needed(release: tuple[int, int], rule: str) -> None:
    ours, theirs = stores.ours(STORES["devices"], release), golden(release, "devices", "paused")
    concerned = [path for path in theirs if re.fullmatch(rule, path)]
    assert any(ours.get(path) != theirs[path] for path in concerned)


def test_what_varies_is_replaced_and_nothing_else() -> None:
    listing = (
        '/local/domain/0/backend/vbd/7/77/frontend = "/local/domain/7/device/vbd/77"   (n0,r7)\n'
        '/local/domain/0/backend/vbd/7/77/node = "/dev/loop3"   (n0,r7)\n'
        '/local/domain/77/domid = "77"   (n77)\n'
        '/local/domain/7/device/vif/7/tx-ring-ref = "1234"   (n7,r0)\n'
        '/local/domain/7/domid = "7"   (n7)\n'
        '/local/domain/7/name = "a = \\"7\\"   (n0)"   (n0,w7,b77)\n'
    )
    assert stores.as_text(stores.normalised(listing, 7)) == (
        '/local/domain/0/backend/vbd/D/77/frontend = "/local/domain/D/device/vbd/77"   (n0,rD)\n'
        '/local/domain/0/backend/vbd/D/77/node = "/dev/loopN"   (n0,rD)\n'
        '/local/domain/D/device/vif/7/tx-ring-ref = "N"   (nD,r0)\n'
        '/local/domain/D/domid = "D"   (nD)\n'
        '/local/domain/D/name = "a = \\"7\\"   (n0)"   (n0,wD,b77)\n'
    )
