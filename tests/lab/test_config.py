"""Configurations beside xl itself: what its dry run says to a sample of lines, and guests with rarer wishes."""

from __future__ import annotations

import json

from tests.golden import xlanswers
from tests.golden.xlcases import cases
from tests.lab.dom0 import Dom0
from xenvm.lab import SUITES


def test_xl_still_says_so(dom0: Dom0) -> None:
    """A line of each table; all of them are asked when the goldens are made."""
    golden = xlanswers.from_text((xlanswers.FOLDER / f"{SUITES[dom0.suite].xen}.txt").read_text())
    sample = [line for group in cases().values() for line in group[3::60]]
    assert xlanswers.ask_xl(dom0.lab, sample) == [golden[line] for line in sample]


def test_xl_sees_what_was_asked_for(clean: Dom0) -> None:
    path = clean.config(
        "wishes", vcpus=2, cpus=["0", "1"], cpu_weight=512, cap=150, claim=1, driver_domain=1, nomigrate=1
    )
    clean.xenvm("create", "-p", path)
    try:
        scheduler = clean.xl("info", "xen_scheduler").split()[-1]
        words = clean.xl(f"sched-{scheduler}", "-d", "wishes").split()
        assert words[-2:] == ["512", "150"]
        (entry,) = json.loads(clean.xl("list", "-l", "wishes"))
        config = entry["config"]
        assert config["c_info"]["driver_domain"] == "True" and config["b_info"]["disable_migrate"] == "True"
        assert config["b_info"]["vcpu_hard_affinity"] == [[0], [1]]
        assert f"/local/domain/{entry['domid']}/device-model" in clean.store(f"/local/domain/{entry['domid']}")
    finally:
        clean.xenvm("destroy", "wishes")


def test_what_this_host_does_not_have(clean: Dom0) -> None:
    path = clean.config("wishes")
    for setting, code in (
        *(('seclabel="a:b:c"', 7), ('sve="hw"', 7), ('tee="optee"', 7), ('llc_colors=["0"]', 7)),
        *(('xenstore_quota=["nodes=5"]', 7), ("period=10000", 6), ('bootloader="no-such"', 6)),
    ):
        sentence = clean.fails("create", "-q", path, setting, code=code)
        assert sentence.startswith("xenvm: ") and setting.split("=")[0] in sentence


def test_check_needs_no_more_than_files(clean: Dom0) -> None:
    path = clean.config("checked", memory=256)
    assert clean.xenvm("check", "--strict", path) == "1 file: 0 errors, 0 warnings\n"
    clean.lab.write("/root/bad.cfg", 'name = "bad"\nkernel = "/srv/guest/initrd.gz"\nmemory = 0256\n')
    result = clean.run(["xenvm", "check", "--format", "json", "/root/bad.cfg"])
    assert result.rc == 6
    (one,) = json.loads(result.stdout)["files"]
    assert {finding["rule"] for finding in one["findings"]} == {"XV023", "XV041"}
