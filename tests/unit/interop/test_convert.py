"""xl.cfg to libvirt's XML and back: the same guest, and nothing lost without a word."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xenvm.errors import ConfigError
from xenvm.guest.cfg import parse
from xenvm.guest.load import load_text
from xenvm.guest.spec import GuestSpec
from xenvm.interop.cfgtext import literal, quoted, written
from xenvm.interop.from_xml import from_xml
from xenvm.interop.to_xml import to_xml

HERE = Path(__file__).resolve().parent
CASES = sorted((HERE.parents[1] / "golden/libvirt").glob("*.cfg"))


def meaning(spec: GuestSpec) -> GuestSpec:
    """A guest without where each part of it was written, and without xl's defaults written out."""
    disks = tuple(sorted((disk.replace(line=0, column=0) for disk in spec.disks), key=lambda disk: disk.devid))
    nics = tuple(nic.replace(line=0, column=0) for nic in spec.nics)
    return spec.replace(disks=disks, nics=nics, source="", places=None)


def loaded(text: str | bytes) -> GuestSpec:
    return meaning(load_text(text)[0])


def around(text: str | bytes) -> str:
    return from_xml(to_xml(text, "g.cfg")[0].text.encode("utf-8", "surrogateescape"), "g.xml").text


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_golden_document(path: Path) -> None:
    converted, _ = to_xml(path.read_bytes(), path.name)
    assert converted.text == path.with_suffix(".xml").read_text()
    assert "\n".join(converted.notes) == path.with_suffix(".notes").read_text().rstrip("\n")


def test_a_bootloader_has_its_place() -> None:
    text = 'name = "g"\nbootloader = "pygrub"\nbootloader_args = ["-q"]\nmemory = 64\nextra = "quiet"\n'
    converted, _ = to_xml(text, "g.cfg")
    assert "<bootloader>pygrub</bootloader>" in converted.text and "<kernel>" not in converted.text
    assert [note for note in converted.notes if "`bootloader'" in note] == []
    assert loaded(around(text)) == loaded(text)


@pytest.mark.parametrize("text", [b"bell \\a", b"cr \\r", b"latin \xe4"])
def test_what_xml_cannot_hold_is_refused(text: bytes) -> None:
    with pytest.raises(ConfigError, match="`cmdline' has a character that XML cannot have") as caught:
        to_xml(b"name = 'g'\nkernel = '/k'\ncmdline = '" + text + b"'\n", "g.cfg")
    assert caught.value.line == 3


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_there_and_back(path: Path) -> None:
    again = around(path.read_bytes())
    assert loaded(again) == loaded(path.read_bytes())
    assert around(again) == again


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_nothing_is_lost(path: Path) -> None:
    """Each setting of the file is in the one that comes back, or is part of another there."""
    before, after = parse(path.read_bytes()).settings, parse(around(path.read_bytes())).settings
    assert set(before) - set(after) <= {"root", "extra", "builder", "maxmem", "maxvcpus", "on_poweroff"}


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=12)
plain = st.text("abcxyz019._-", min_size=1, max_size=8)
macs = st.integers(0, 0x7FFFFF).map(lambda n: f"00:16:3e:{n >> 16:02x}:{n >> 8 & 255:02x}:{n & 255:02x}")


@st.composite
def disks(draw: st.DrawFn, number: int) -> str:
    words = ["format=raw", f"vdev=xvd{'abcdefgh'[number]}", f"access={draw(st.sampled_from(['ro', 'rw']))}"]
    for key, values in (("backendtype", ["phy", "qdisk", "tap"]), ("script", ["block-x"]), ("backend", ["d"])):
        if draw(st.booleans()):
            words.append(f"{key}={draw(st.sampled_from(values))}")
    words += draw(st.lists(st.sampled_from(["discard", "direct-io-safe", "untrusted"]), unique=True))
    return ",".join([*words, f"target={draw(st.sampled_from(['/', '/dev/', 'iqn.']))}{draw(plain)}"])


@st.composite
def vifs(draw: st.DrawFn) -> str:
    possible = {
        "mac": macs,
        "bridge": plain,
        "script": plain,
        "ip": st.sampled_from(["10.0.0.2", "10.0.0.2 fe80::1"]),
        "rate": st.sampled_from(["10MB/s", "1Mb/s@20ms", "7000B/s@3s", "123456B/s"]),
        "mtu": st.integers(68, 65535),
        "vifname": plain,
        "vlan": st.sampled_from(["5", "1/2"]),
        "gatewaydev": plain,
        "backend": plain,
    }
    chosen = draw(st.lists(st.sampled_from(sorted(possible)), unique=True))
    return ",".join(f"{key}={draw(possible[key])}" for key in chosen)


@st.composite
def configurations(draw: st.DrawFn) -> str:
    memory, vcpus = draw(st.integers(1, 4096)), draw(st.integers(1, 8))
    made: list[tuple[str, str | int | list[str]]] = [
        ("name", "g" + draw(texts).replace("/", "")),
        ("kernel", "/" + draw(texts)),
        ("memory", memory),
        ("vcpus", vcpus),
        ("disk", [draw(disks(number)) for number in range(draw(st.integers(0, 4)))]),
        ("vif", [draw(vifs()) for _ in range(draw(st.integers(0, 3)))]),
    ]
    optional: dict[str, st.SearchStrategy[str | int | list[str]]] = {
        "maxmem": st.integers(memory, 8192),
        "maxvcpus": st.integers(vcpus, 16),
        "cmdline": texts,
        "ramdisk": texts.map(lambda text: "/" + text),
        "cpus": st.sampled_from(["0-3,^2", "all,^0", ["0", "1-2"]]),
        "cpus_soft": st.just("1"),
        "on_crash": st.sampled_from(["restart", "preserve", "coredump-restart"]),
        "on_watchdog": st.just("restart"),
        "gic_version": st.sampled_from(["v2", "v3"]),
        "passthrough": st.sampled_from(["disabled", "share_pt"]),
        "max_grant_frames": st.integers(1, 64),
        "irqs": st.just(["33", "40"]),
        "vuart": st.just("sbsa_uart"),
    }
    for key in draw(st.lists(st.sampled_from(sorted(optional)), unique=True)):
        made.append((key, draw(optional[key])))
    return written(made)


@settings(max_examples=100, deadline=None)
@given(configurations())
def test_any_guest_survives(text: str) -> None:
    assert loaded(around(text)) == loaded(text)


@settings(max_examples=100)
@given(st.text(max_size=20))
def test_strings_are_read_back(text: str) -> None:
    try:
        line = f"a = {quoted(text)}\n"
    except ConfigError:
        assert any(ord(char) < 32 or ord(char) == 127 for char in text)
        return
    if not any(0xD800 <= ord(char) < 0xE000 for char in text):
        setting = parse(line).settings["a"]
        assert getattr(setting.value, "text", None) == text
        assert literal(setting.value) == (text if text.isascii() and text.isdigit() else quoted(text))
