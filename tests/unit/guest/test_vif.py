"""Network interface specifications."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xenvm.errors import ConfigError
from xenvm.guest.spec import NicSpec
from xenvm.guest.vif import parse_mac, parse_rate, parse_vif, random_mac

MAC = "00:16:3e:01:02:0f"

GOOD: list[tuple[str, dict[str, Any]]] = [
    ("", {}),
    (",,", {}),
    (" , ", {}),
    ("bridge=xenbr0", {"bridge": "xenbr0"}),
    (",bridge=xenbr0,", {"bridge": "xenbr0"}),
    ("  bridge=xenbr0", {"bridge": "xenbr0"}),
    ("bridge=xenbr0 ", {"bridge": "xenbr0 "}),
    ("bridge= xenbr0", {"bridge": " xenbr0"}),
    ("bridge=", {"bridge": ""}),
    ("bridge=a=b", {"bridge": "a=b"}),
    ("bridge=a,bridge=b", {"bridge": "b"}),
    ("gatewaydev=eth0", {"gatewaydev": "eth0"}),
    ("netdev=eth0", {"gatewaydev": "eth0"}),
    ("ip=10.0.0.2 10.0.0.3", {"ip": "10.0.0.2 10.0.0.3"}),
    ("script=vif-nat", {"script": "vif-nat"}),
    ("backend=net", {"backend": "net"}),
    ("backend=", {"backend": "0"}),
    ("vifname=web0", {"vifname": "web0"}),
    ("model=e1000", {"model": "e1000"}),
    ("vlan=100:200", {"vlan": "100:200"}),
    ("mtu=9000", {"mtu": 9000}),
    ("mtu=68", {"mtu": 68}),
    ("devid=5", {"devid": 5}),
    ("type=vif", {}),
    ("trusted", {"trusted": True}),
    ("untrusted", {"trusted": False}),
    ("trusted,untrusted", {"trusted": False}),
    ("accel=x", {}),
    ("rate=10Mb/s", {"rate": (62500, 50000)}),
    (f"mac={MAC}", {"mac": MAC}),
    ("mac=00-16-3E-1-2-F", {"mac": MAC}),
    ("mac=00:00:00:00:00:00", {"mac": None}),
    (f"mac={MAC}, bridge=xenbr1, script=s, mtu=1400, untrusted",
     {"mac": MAC, "bridge": "xenbr1", "script": "s", "mtu": 1400, "trusted": False}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "fields"), GOOD)
def test_good(text: str, fields: dict[str, Any]) -> None:
    assert parse_vif(text, 2) == NicSpec(**{"devid": 2, **fields})


BAD = [
    ("bogus", "unrecognized argument `bogus'"),
    ("bogus=1", "unrecognized argument `bogus=1'"),
    ("Bridge=x", "unrecognized argument `Bridge=x'; is it `bridge'?"),
    ("bridge", "unrecognized argument `bridge'"),
    ("bridge =x", "unrecognized argument `bridge =x'; is it `bridge'?"),
    ("\tbridge=x", "a control character"),
    ("trusted=1", "unrecognized argument `trusted=1'"),
    ("trusted ", "unrecognized argument `trusted '"),
    ("type=ioemu", "type=ioemu is an emulated interface, which ARM does not have,"),
    ("type=pv", "unknown type `pv'"),
    ("mac=00:16:3e:01:02", "invalid mac `00:16:3e:01:02'"),
    ("mac=", "invalid mac `'"),
    ("mtu=0", "mtu must be 68 to 65535, not `0'"),
    ("mtu=1500x", "mtu must be 68 to 65535, not `1500x'"),
    ("mtu=", "mtu must be 68 to 65535, not `'"),
    ("devid=-1", "devid must be 0 to 65535, not `-1'"),
    ("rate=fast", "invalid rate `fast'"),
    ("forwarddev=eth0", "`forwarddev' is for COLO, which ARM does not have,"),
    ("colo_sock_mirror_id=1", "`colo_sock_mirror_id' is for COLO, which ARM does not have,"),
    ("ip=1\n2", "a control character"),
]


@pytest.mark.parametrize(("text", "reason"), BAD)
def test_bad(text: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_vif(text, 0, source="f", line=2, column=5)
    assert str(caught.value) == f"f:2:5: {reason} in the vif `{text}'"


def test_arguments_of_network_attach() -> None:
    assert parse_vif([f"mac={MAC}", "bridge=b,mtu=100"], 1) == NicSpec(devid=1, mac=MAC, bridge="b", mtu=100)


def test_warnings() -> None:
    warnings: list[str] = []
    nic = parse_vif("netdev=e,accel=1,rate=1MB/s@1", 0, warnings=warnings, line=1, column=2)
    assert (nic.line, nic.column) == (1, 2)
    assert warnings == [
        "netdev is deprecated, write gatewaydev",
        "accel is ignored: Xen has no accelerated interfaces",
        "the interval of the rate `1MB/s@1' has no unit and counts as seconds",
    ]


MACS = [
    "00:16:3e:01:02:0f", "00-16-3e-01-02-0f", "00.16.3E.01.02.0F", "0:16:3e:1:2:f", "000:16:3e:1:2:00f",
    "0 16 3e 1 2 f", "0x16y3ez1_2;f",
]  # fmt: skip


@pytest.mark.parametrize("text", MACS)
def test_mac(text: str) -> None:
    assert parse_mac(text) == MAC


@pytest.mark.parametrize(
    "text",
    ["", ":", "00163e01020f", "00:16:3e:01:02", "00:16:3e:01:02:", "00:16:3e:01:02:0f:00", "00:16:3e:01:02:0f ",
     "00:16:3e:01:02:100", "::16:3e:01:02:0f", "00::16:3e:01:02", ":00:16:3e:01:02:0f", "g0:16:3e:01:02:0f",
     "00:16:3e:01:02:-1", "0000000000000000000000:16:3e:01:02:0f", "\u0660:1:2:3:4:5"],
)  # fmt: skip
def test_no_mac(text: str) -> None:
    with pytest.raises(ConfigError, match="invalid mac"):
        parse_mac(text)


RATES = {
    "16000000b/s": (100000, 50000), "2000000B/s@50ms": (100000, 50000), "16Kb/s": (100, 50000), "2KB/s": (100, 50000),
    "16Mb/s": (100000, 50000), "16Mb/s@50ms": (100000, 50000), "2MB/s": (100000, 50000), "8Gb/s": (50000000, 50000),
    "1GB/s@50ms": (50000000, 50000), "80Mb/s@1s": (10000000, 1000000), "10MB/s@1s": (10000000, 1000000),
    "10MB/s@1": (10000000, 1000000), "10MB/s@500us": (5000, 500), "10MB/s@500u": (5000, 500),
    "10MB/s@5m": (50000, 5000), "010MB/s": (400000, 50000), "1MB/s@010ms": (8000, 8000),
    "4294967295B/s@1s": (4294967295, 1000000), "1MB/s@4294s": (4294000000, 4294000000), "20B/s": (1, 50000),
}  # fmt: skip


@pytest.mark.parametrize(("text", "rate"), RATES.items())
def test_rate(text: str, rate: tuple[int, int]) -> None:
    assert parse_rate(text) == rate


NO_RATES = {
    "": "invalid rate", "@": "invalid rate", "@50ms": "invalid rate", "10": "invalid rate", "10Mb": "invalid rate",
    "10MB/m": "invalid rate", "10ZB/s": "invalid rate", "10kB/s": "invalid rate", "Mb/s": "invalid rate",
    "-1B/s": "invalid rate", " 1B/s": "invalid rate", "0x10B/s": "invalid rate", "1.5MB/s": "invalid rate",
    "018MB/s": "invalid rate", "10MB/s ": "invalid rate", "0B/s": "rate overflow", "4294967296b/s": "rate overflow",
    "4294967296Gb/s": "rate overflow", "4294967295GB/s@5us": "rate overflow", "4296MB/s@4294s": "rate overflow",
    "10Mb/s@": "invalid replenishment interval", "10Mb/s@foo": "invalid replenishment interval",
    "10MB/s@10h": "invalid replenishment interval", "10MB/s@1ss": "invalid replenishment interval",
    "10MB/s@1@2": "invalid replenishment interval", "1B/s@4294967296us": "interval overflow",
    "1B/s@4294968ms": "interval overflow", "1B/s@4295s": "interval overflow", "1B/s@0us": "interval overflow",
    "1B/s": "less than a byte per interval",
}  # fmt: skip


@pytest.mark.parametrize(("text", "reason"), NO_RATES.items())
def test_no_rate(text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        parse_rate(text)


def test_random_mac_is_of_xen_and_unicast() -> None:
    macs = {random_mac() for _ in range(64)}
    assert len(macs) > 60
    assert all(parse_mac(mac) == mac and mac.startswith("00:16:3e:") and int(mac[9:11], 16) < 0x80 for mac in macs)


@settings(max_examples=100)
@given(st.one_of(st.text(max_size=20), st.from_regex(r"(mac|rate|mtu|devid|bridge)=[0-9a-fMKbBs/@:,]{0,12}")))
def test_arbitrary(text: str) -> None:
    try:
        parse_vif(text, 0)
    except ConfigError as error:
        assert error.reason.endswith(f"in the vif `{text}'")
