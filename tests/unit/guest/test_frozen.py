"""Specifications as JSON and back."""

from __future__ import annotations

import pytest

from tests.support.guestconfig import UUID
from xenvm.guest.frozen import freeze, thaw
from xenvm.guest.jsontext import parse, text
from xenvm.guest.layout import Region
from xenvm.guest.load import load_text
from xenvm.guest.spec import GuestSpec, IomemRange
from xenvm.types import Gpa, KiB

FULL = f"""name = "g"
uuid = "{UUID}"
kernel = "/k"
memory = 128
vcpus = 2
cpus = ["0", "1-2"]
on_crash = "preserve"
disk = ["/d,raw,xvda,rw", "/e,raw,xvdb,ro,script=x"]
vif = ["mac=00:16:3e:00:00:01,rate=1MB/s", "bridge=b"]
iomem = ["0x9000,2@0xa000"]
irqs = [40]
"""


def test_every_field_comes_back() -> None:
    spec = load_text(FULL, "g.cfg")[0].replace(places=None)
    assert spec.iomem == (IomemRange(0x9000, 2, 0xA000),) and spec.affinity.hard[0] == {0}
    assert thaw(parse(text(freeze(spec)))) == spec


def test_what_a_later_version_adds_is_passed_over() -> None:
    json = freeze(GuestSpec("g", "/k", memory=KiB(1)))
    assert isinstance(json, dict)
    assert thaw({**json, "novel": 1}) == GuestSpec("g", "/k", memory=KiB(1))


@pytest.mark.parametrize(
    "kind", ["os", "spec", "os.environ", ".os", "spec.GuestSpec", "spec.KiB", "no.Such", "a.b.C", ["x"], "spec.ACTIONS"]
)
def test_what_is_no_specification(kind: object) -> None:
    with pytest.raises(ValueError):
        thaw({"kind": kind})


def test_values_of_other_modules() -> None:
    region = Region(Gpa(1), 2)
    assert thaw(freeze(region)) == region and freeze(region) == {"kind": "layout.Region", "start": 1, "size": 2}


def test_what_cannot_be_kept() -> None:
    with pytest.raises(TypeError, match="object cannot be kept"):
        freeze(object())
