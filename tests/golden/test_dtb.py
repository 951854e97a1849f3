"""Our device trees equal those that libxl made for the same configurations on the same hosts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.golden import configs, trees
from xenvm.guest.fdtblob import read, semantic

HOSTS = {
    f"{release}-gicv{gic}": names
    for release in ("4.17", "4.20")
    for gic, names in ((3, configs.TREES), (2, configs.TREES_GICV2))
}
GOLDENS = [trees.FOLDER / host / f"{name}.dts" for host, names in HOSTS.items() for name in names]


def label(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


@trees.needs_dtc
@pytest.mark.parametrize("path", GOLDENS, ids=label)
def test_our_tree_is_libxls(path: Path) -> None:
    settings, facts, golden = trees.read_golden(path)
    _, blob = trees.ours(settings, facts)
    theirs = trees.dtc(golden.encode(), "dts", "dtb")
    # All of it, in its order; then what it says, by our own reader.
    assert trees.source(blob) == trees.source(theirs)
    assert semantic(blob) == semantic(theirs)
    assert read(blob) == read(theirs)


@pytest.mark.parametrize("path", GOLDENS, ids=label)
def test_the_goldens_are_of_todays_configurations(path: Path) -> None:
    settings, facts, _ = trees.read_golden(path)
    assert settings == configs.TREES[path.stem], "`make golden` makes them anew"
    assert path.parent.name == "{}.{}-gicv{}".format(*facts["xen"], facts["gic"])


def test_there_is_no_other_golden() -> None:
    assert sorted(path for path in trees.FOLDER.rglob("*") if path.is_file()) == sorted(GOLDENS)


@trees.needs_dtc
def test_a_difference_is_seen() -> None:
    settings, facts, golden = trees.read_golden(trees.FOLDER / "4.17-gicv3/small-draft-fills-page.dts")
    _, blob = trees.ours({**settings, "cmdline": settings["cmdline"] + "x"}, facts)
    before, after = (trees.source(tree).splitlines() for tree in (trees.dtc(golden.encode(), "dts", "dtb"), blob))
    changed = set(before) - set(after)
    assert [line.split()[0] for line in sorted(changed)] == ["bootargs", "linux,initrd-end", "linux,initrd-start"]
