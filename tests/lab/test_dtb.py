"""On a real host: the trees that libxl and xenvm make, and what guests of both really have in memory."""

from __future__ import annotations

import pytest

from tests.golden import trees
from tests.golden.configs import TREES, TREES_LIVE
from tests.lab.dom0 import Dom0
from xenvm.guest.fdtblob import read, semantic


@pytest.fixture(scope="module")
def facts(dom0: Dom0) -> trees.Facts:
    return trees.ask_facts(dom0.lab)


def in_memory(dom0: Dom0, name: str, address: int) -> bytes:
    """The tree of a paused guest, which is then destroyed."""
    domid = dom0.xl("domid", name).strip()
    tree = bytes.fromhex(trees.in_dom0(dom0.lab, "memory", domid, str(address)))
    dom0.xl("destroy", name)
    return tree


def seed(tree: bytes) -> bytes:
    return dict(read(tree).nodes[0].props)["rng-seed"]


@trees.needs_dtc
@pytest.mark.parametrize("name", TREES_LIVE)
def test_trees_are_libxls(clean: Dom0, facts: trees.Facts, name: str) -> None:
    settings = TREES[name]
    placed, expected = trees.ours(settings, facts)
    dumped = trees.xl_create(clean.lab, settings)
    theirs = in_memory(clean, "golden", placed.dtb)
    assert trees.source(expected) == trees.source(dumped)
    assert read(theirs) == read(dumped), "libxl's own guest has its tree where we would put it"

    clean.xenvm("create", "-p", "/root/golden.cfg", timeout=600)
    ours = in_memory(clean, "golden", placed.dtb)
    assert semantic(ours) == semantic(dumped)
    assert trees.source(ours) == trees.source(dumped)
    assert len({seed(ours), seed(theirs), bytes(128)}) == 3, "every guest has a seed of its own"


@trees.needs_dtc
def test_xenvm_dtb_tells_it_beforehand(dom0: Dom0, facts: trees.Facts) -> None:
    """The command knows no host: what it assumes is what these hosts have, but for the seed."""
    settings = TREES["all-at-once"]
    path = dom0.config(**settings)
    release = "{}.{}".format(*facts["xen"])
    dom0.xenvm("dtb", path, "--xen", release, "--gic", f"v{facts['gic']}", "-o", "/tmp/told.dtb")
    assert semantic(dom0.lab.read("/tmp/told.dtb")) == semantic(trees.ours(settings, facts)[1])
