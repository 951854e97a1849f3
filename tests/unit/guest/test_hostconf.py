"""xl.conf: what it says of guests, and where it does not count."""

from __future__ import annotations

import pytest

from xenvm.errors import ConfigError
from xenvm.guest.hostconf import parse_conf, with_defaults
from xenvm.guest.load import load_text
from xenvm.guest.spec import GuestSpec

PATH = "/etc/xen/xl.conf"
BASE = 'name = "g"\nkernel = "/k"\n'


def spec(more: str = "") -> GuestSpec:
    return load_text(BASE + more, "g.cfg")[0]


def applied(conf: str, more: str = "") -> tuple[GuestSpec, tuple[str, ...]]:
    return with_defaults(spec(more), parse_conf(conf.encode(), PATH))


@pytest.mark.parametrize("old", [False, True])
def test_vifs(old: bool) -> None:
    prefix = ("vifscript", "defaultbridge") if old else ("vif.default.script", "vif.default.bridge")
    conf = '{}="vif-openvswitch"\n{}="br1"\nvif.default.backend="net"\nvif.default.gatewaydev="eth1"\n'.format(*prefix)
    found, said = applied(conf, 'vif = ["", "bridge=br0,script=mine,backend=other,gatewaydev=eth0"]\n')
    first, second = found.nics
    assert (first.script, first.bridge, first.backend, first.gatewaydev) == ("vif-openvswitch", "br1", "net", "eth1")
    assert (second.script, second.bridge, second.backend, second.gatewaydev) == ("mine", "br0", "other", "eth0")
    assert said == tuple(
        f"{text} of vif 0" for text in ("script=vif-openvswitch", "bridge=br1", "backend=net", "gatewaydev=eth1")
    )


def test_the_usual_script_is_none() -> None:
    found, said = applied('vif.default.script="vif-bridge"\n', 'vif = [""]\n')
    assert found == spec('vif = [""]\n') and said == ()


def test_frames_and_claims() -> None:
    conf = "max_grant_frames=128\nmax_maptrack_frames=2048\nclaim_mode=1\n"
    found, said = applied(conf)
    assert (found.max_grant_frames, found.max_maptrack_frames, found.claim) == (128, 2048, True)
    assert said == ("max_grant_frames=128", "max_maptrack_frames=2048", "claim=1")
    found, said = applied(conf, "max_grant_frames=4\nmax_maptrack_frames=0\nclaim=0\n")
    assert (found.max_grant_frames, found.max_maptrack_frames, found.claim, said) == (4, 0, False, ())


def test_masks_of_cpus() -> None:
    found, said = applied('vm.cpumask="0-3"\nvm.hvm.cpumask="2-9"\nvm.pv.cpumask="0"\n', 'vcpus=2\ncpus=["3-4"]\n')
    assert (found.affinity.hard, said) == ((frozenset({3}), frozenset({2, 3})), ("no CPUs but 2-3",))
    assert applied('vm.cpumask="1"\n', "vcpus=2\n")[0].affinity.hard == (frozenset({1}),) * 2
    with pytest.raises(ConfigError, match=r"^/etc/xen/xl.conf: `vm.cpumask' leaves none of the CPUs"):
        applied('vm.cpumask="1"\n', 'cpus="2"\n')


def test_what_has_no_effect_is_said() -> None:
    found = parse_conf(b'autoballoon="on"\nrun_hotplug_scripts=0\noutput_format="sxp"\n', PATH)
    assert [(each.line, each.key) for each in found.warnings] == [
        (1, "autoballoon"),
        (2, "run_hotplug_scripts"),
        (3, "output_format"),
    ]
    usual = (
        b'autoballoon="auto"\nrun_hotplug_scripts=1\noutput_format="json"\nlockfile="/x"\nblkdev_start="xvda"\nx=1\n'
    )
    assert parse_conf(usual, PATH) == parse_conf(b"# nothing\n", PATH)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("max_grant_frames=x", "1:"),
        ('max_grant_frames="many"', "1:18: `max_grant_frames' is not a valid number: `many'"),
        ("claim_mode=2", "1:12: `claim_mode' must be 0 to 1, not 2"),
        ('#\nvm.cpumask="a"', "2:12: `vm.cpumask': `a' is not a CPU"),
        ('vif.default.bridge=["a"]', "1:20: `vif.default.bridge' is a list"),
    ],
)
def test_mistakes_have_their_place(text: str, place: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_conf(text.encode(), PATH)
    assert str(caught.value).startswith(f"{PATH}:{place}")
