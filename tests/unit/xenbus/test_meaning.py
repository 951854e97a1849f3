from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xenbus.meaning import disk_name, is_state, meaning, state_of

FRONT = "/local/domain/5/device/vbd/51712"
AND_STAYS = ", and stays so: the console daemon keeps no state"
BACK = "/local/domain/0/backend/vbd/5/51712"


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        (f"{FRONT}/state", b"4", "4 Connected"),
        (f"{BACK}/state", b"2", "2 InitWait"),
        (f"{BACK}/state", b"9", None),
        (f"{BACK}/state", b"", None),
        ("/libxl/5/device/vbd/51712/state", b"1", "1 Initialising, as it was at creation: never the live state"),
        ("/local/domain/0/device-model/5/state", b"running", None),
        ("/local/domain/0/device-model/5/state", b"4", None),
        *(
            (f"/local/domain/0/backend/{kind}/5/0/state", b"1", f"1 Initialising{AND_STAYS}")
            for kind in ("console", "vuart")
        ),
        ("/local/domain/0/backend/console/5/1/state", b"4", "4 Connected"),
        (f"{FRONT}/ring-ref", b"8", "grant 8"),
        (f"{FRONT}/ring-ref3", b"9", "grant 9"),
        (f"{FRONT}/queue-0/tx-ring-ref", b"9", "grant 9"),
        ("/local/domain/5/console/ring-ref", b"233473", "frame 0x39001"),
        ("/local/domain/5/store/port", b"1", "event channel 1"),
        (f"{FRONT}/event-channel", b"7", "event channel 7"),
        (f"{FRONT}/event-channel", b"-1", None),
        (f"{FRONT}/virtual-device", b"51713", "xvda1"),
        (f"{FRONT}/backend-id", b"0", "domain 0"),
        (f"{BACK}/physical-device", b"7:1f", "loop31"),
        (f"{BACK}/physical-device", b"fd:0", "major 253, minor 0"),
        (f"{BACK}/physical-device", b"7", None),
        (f"{BACK}/physical-device", b"7:", None),
        (f"{BACK}/sectors", b"131072", "64 MiB"),
        (f"{BACK}/online", b"0", "the device is to go"),
        (f"{BACK}/online", b"x", None),
        ("/local/domain/5/memory/target", b"65536", "64 MiB"),
        ("/x/target", b"65536", None),
        (f"{FRONT}/mac", b"00:16:3e:00:00:01", "Xen's own range"),
        (f"{FRONT}/mac", b"01:00:00:00:00:01", "a group address, which no interface may have"),
        (f"{FRONT}/mac", b"02:00:00:00:00:01", "assigned by hand"),
        (f"{FRONT}/mac", b"junk", "no MAC address"),
        (f"{FRONT}/mac", None, None),
        ("name", b"x", None),
        ("/", b"", None),
    ],
)
def test_meanings(path: str, value: bytes | None, text: str | None) -> None:
    assert meaning(path, value) == text


NAMES = [
    "state",
    "ring-ref",
    "mac",
    "physical-device",
    "virtual-device",
    "sectors",
    "port",
    "online",
    "store",
    "memory",
]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from([*NAMES, "", "local", "domain", "5"]), max_size=5).map("/".join), st.binary(max_size=30)
)
def test_no_value_is_too_strange(path: str, value: bytes) -> None:
    text = meaning(path, value)
    assert text is None or (text.isascii() and text.isprintable())


@pytest.mark.parametrize(
    ("number", "name"),
    [(51712, "xvda"), (51952, "xvdp"), (268439552, "xvdq"), (268435456 + 26 * 256 + 3, "xvdaa3"), (2048, "sda"),
     (2049, "sda1"), (768, "hda"), (833, "hdb1"), (5632, "hdc"), (5696, "hdd"), (900, None), (1, None)],
)  # fmt: skip
def test_disk_names(number: int, name: str | None) -> None:
    assert disk_name(number) == name


def test_live_states() -> None:
    assert is_state(f"{FRONT}/state") and is_state(f"{BACK}/state")
    assert not is_state("/local/domain/0/backend/console/5/0/state")
    assert not is_state("/libxl/5/device/vbd/51712/state")
    assert state_of(f"{FRONT}/state", b"4") == 4
    assert state_of(f"{FRONT}/state", b"four") is None
    assert state_of("/x/state", b"4") is None
