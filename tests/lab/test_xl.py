"""A guest of ours is one of xl's own: xl lists it whole, changes its memory and gives it devices."""

from __future__ import annotations

import json
from typing import Any

from tests.lab.dom0 import Dom0

UUID = "5b4f7f53-9b04-4a41-9a8c-0f2a6d1f3c11"
XL_ONLY = {"c_info": {"domid"}, "b_info": {"claim_mode", "extra"}, "disks": {"colo_restore_enable", "colo_enable"}}
"""What xl writes although it is the default: a place for its own use, a flag of x86, a feature that ARM lacks."""


def listed(dom0: Dom0, name: str) -> dict[str, Any]:
    """The configuration as ``xl list -l`` has it, without what only xl writes."""
    (guest,) = json.loads(dom0.xl("list", "-l", name))
    config: dict[str, Any] = guest["config"]
    for section, keys in XL_ONLY.items():
        for part in config[section] if isinstance(config[section], list) else [config[section]]:
            for key in keys:
                part.pop(key, None)
    return config


def test_xl_lists_a_guest_as_its_own(clean: Dom0) -> None:
    config = clean.config(
        "whole",
        uuid=UUID,
        vcpus=1,
        maxvcpus=2,
        disk=[f"{clean.disk('whole')},raw,xvda,rw", f"{clean.disk('other')},raw,xvdb,ro"],
        vif=["bridge=xenbr0,mac=00:16:3e:11:22:33,rate=1MB/s", "mac=00:16:3e:11:22:34,mtu=1400,bridge=xenbr0"],
        on_crash="preserve",
        vuart="sbsa_uart",
    )
    found = {}
    for tool in ("xl", "xenvm"):
        clean.ok([tool, "create", "-p", config])
        found[tool] = listed(clean, "whole")
        clean.ok([tool, "destroy", "whole"])
    assert found["xenvm"]["b_info"].pop("acpi") == "False", "or xl could not change the memory"
    assert found["xenvm"] == found["xl"]


def test_xl_changes_a_guest(clean: Dom0) -> None:
    clean.xenvm("create", clean.config("changed", memory=160, cmdline="console=hvc0"))
    clean.console("changed", "xenvm-guest: ready")
    clean.xl("mem-set", "changed", "128")
    clean.xl("block-attach", "changed", f"{clean.disk('later')},raw,xvdc,rw")
    clean.xl("network-attach", "changed", "bridge=xenbr0", "mac=00:16:3e:11:22:35")
    config = listed(clean, "changed")
    assert config["b_info"]["target_memkb"] == 128 * 1024
    assert [disk["vdev"] for disk in config["disks"]] == ["xvdc"]
    assert [nic["mac"] for nic in config["nics"]] == ["00:16:3e:11:22:35"]
    clean.xenvm("destroy", "changed")


XL_CONF = """
vif.default.bridge = "br7"
vif.default.script = "vif-mine"
max_grant_frames = 48
vm.cpumask = "0"
"""


def test_both_read_xl_conf(clean: Dom0) -> None:
    """What a dry run makes of a guest that leaves things to the host, by each."""
    config = clean.config("host", vcpus=2, vif=["mac=00:16:3e:11:22:36", "mac=00:16:3e:11:22:37,bridge=xenbr0"])
    clean.ok("cp /etc/xen/xl.conf /tmp/xl.conf")
    clean.lab.write("/etc/xen/xl.conf", XL_CONF)
    try:
        found = [json.loads(clean.ok([*tool, "-N", "create", "-q", config])) for tool in (["xl"], ["xenvm", "xl"])]
        plan = clean.run(["xenvm", "plan", "--only", "summary", config]).stdout  # there is no such script
    finally:
        clean.ok("mv /tmp/xl.conf /etc/xen/xl.conf")
    theirs, ours = (each.get("config", each) for each in found)
    assert [(nic["bridge"], nic["script"]) for nic in ours["nics"]] == [("br7", "vif-mine"), ("xenbr0", "vif-mine")]
    assert [(nic["bridge"], nic["script"]) for nic in theirs["nics"]] == [("br7", "vif-mine"), ("xenbr0", "vif-mine")]
    assert ours["b_info"]["max_grant_frames"] == theirs["b_info"]["max_grant_frames"] == 48
    assert "xl.conf   script=vif-mine of vif 0, bridge=br7 of vif 0, script=vif-mine of vif 1" in plan
    assert "max_grant_frames=48, no CPUs but 0" in plan
