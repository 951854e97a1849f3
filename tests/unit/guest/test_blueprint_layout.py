"""Any configuration that is accepted gives an address space without overlaps, within what the host can address."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.fakehost import image
from xenvm.errors import ConfigError, HostError
from xenvm.guest import dtb, layout
from xenvm.guest.blueprint import HostFacts, draw
from xenvm.guest.layout import Region
from xenvm.guest.load import load_text
from xenvm.types import PAGE_SIZE, Gpa

GFNS = st.one_of(
    st.integers(0, 1 << 24),
    st.sampled_from(
        [0x3000, 0x3FFF, 0x22000, 0x38000, 0x39003, 0x39004, 0x3FFFF, 0x40000, 0x44000, 0x100000, 0x200000]
    ),
)
CONFIGS = st.fixed_dictionaries(
    {
        "memory": st.one_of(st.integers(1, 9000), st.sampled_from([3071, 3072, 3073, 64, 128, 129, 1 << 20])),
        "vcpus": st.integers(1, 128),
        "vuart": st.sampled_from(["", "sbsa_uart"]),
        "gic_version": st.sampled_from(["default", "v2", "v3"]),
        "iomem": st.lists(
            st.tuples(GFNS, st.integers(1, 1 << 12)).map(lambda at: f"0x9000,{at[1]:x}@{at[0]:x}"), max_size=3
        ),
        "ramdisk": st.booleans(),
        "cmdline": st.sampled_from(["", "x" * 3000]),
    }
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    for load in (0, 0x80000):
        (folder / f"kernel-{load}").write_bytes(image(70_000, load=load))
    (folder / "ramdisk").write_bytes(bytes(123_456))
    return folder


def regions_of(plan: object, facts: HostFacts, folder: Path) -> list[tuple[str, Region]]:
    """All that has an address of its own."""
    spec, kernel, ramdisk = plan.spec, plan.kernel, plan.ramdisk  # type: ignore[attr-defined]
    tree_facts = dtb.TreeFacts(xen=facts.release, gpaddr_bits=facts.gpaddr_bits)
    placed, tree = dtb.lay_out(spec, kernel, ramdisk.size if ramdisk else 0, tree_facts)
    blob = dtb.build(tree)
    inside = [("kernel", placed.kernel), ("tree", Region(placed.dtb, len(blob)))]
    inside += [("ramdisk", placed.initrd)] if placed.initrd else []
    ram = placed.banks[0]
    for name, region in inside:
        assert ram.start <= region.start < region.end <= ram.end, name
        assert region.start % PAGE_SIZE == 0
    assert_apart(inside)
    found = list(layout.occupied(placed.banks, spec.gic_version, spec.vuart))
    # Before Xen 4.21, extended regions are told as xl tells them: as if there were no iomem.
    if facts.release >= (4, 21) or not spec.iomem:
        found += [("extended", region) for region in tree.regions]
    return found + [("iomem", Region(Gpa(r.gfn << 12), r.count << 12)) for r in spec.iomem]


def assert_apart(regions: list[tuple[str, Region]]) -> None:
    for (name, one), (other, two) in combinations(regions, 2):
        assert one.end <= two.start or two.end <= one.start, f"{name} {one} over {other} {two}"


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(config=CONFIGS, release=st.sampled_from([(4, 17), (4, 20), (4, 22)]), bits=st.sampled_from([32, 34, 36, 40, 48]),
       load=st.sampled_from([0, 0x80000]))  # fmt: skip
def test_nothing_lies_over_anything(
    files: Path, config: dict[str, object], release: tuple[int, int], bits: int, load: int
) -> None:
    values = {**config, "name": "g", "kernel": f"{files}/kernel-{load}"}
    values["ramdisk"] = f"{files}/ramdisk" if config["ramdisk"] else ""
    facts = HostFacts(release=release, gpaddr_bits=bits)
    try:
        spec = load_text("".join(f"{key} = {value!r}\n" for key, value in values.items()))[0]
        plan = draw(spec, facts)
    except (ConfigError, HostError) as error:
        assert str(error)
        return
    regions = regions_of(plan, facts, files)
    assert_apart(regions)
    assert all(region.end <= 1 << bits for name, region in regions if name != "iomem")


@pytest.mark.parametrize(
    ("gfn", "what"),
    [
        (0x40010, "its memory at 0x40000000"),
        (0x3001, "its interrupt controller"),
        (0x22000, "its vuart"),
        (0x38FFF, "its grant table"),
        (0x39001, "the pages of its console and store"),
        (0x9001, "other iomem at 0x9000000"),
    ],
)
def test_pages_of_devices_hide_nothing(files: Path, gfn: int, what: str) -> None:
    text = f"name='g'\nkernel='{files}/kernel-0'\nmemory=64\nvuart='sbsa_uart'\niomem=['9000,2','a000,1@{gfn:x}']\n"
    with pytest.raises(ConfigError, match=rf"config:5:1: iomem at {gfn << 12:#x} would lie over {what}"):
        draw(load_text(text)[0], HostFacts(release=(4, 20)))
    draw(load_text(text.replace(f"{gfn:x}'", "9002'"))[0], HostFacts(release=(4, 20)))
