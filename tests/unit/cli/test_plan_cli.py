"""xenvm plan: what it prints, and what its exit codes say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.guestconfig import config_text
from tests.unit.cli.conftest import Xenvm
from xenvm.cli import run
from xenvm.host.open import VARIABLE

VALID, INVALID, CONFLICT = 0, 6, 10


def config(folder: Path, **settings: object) -> str:
    path = folder / "g.cfg"
    path.write_text(config_text(str(folder / "Image"), None, str(folder / "disk.img"), settings))
    return str(path)


def planned(xenvm: Xenvm, *words: str) -> tuple[int, dict[str, Any], str]:
    code, out, err = xenvm("plan", "--json", *words)
    fields = json.loads(out)
    assert fields["version"] == 1
    return code, fields, err


def test_valid(folder: Path, xenvm: Xenvm) -> None:
    code, out, err = xenvm("plan", config(folder))
    assert (code, err) == (VALID, "")
    titles = [line.split()[0] for line in out.splitlines() if line and not line.startswith(" ")]
    assert titles == ["SUMMARY", "MEMORY", "HYPERCALLS,", "STORE:", "DOMAIN", "DEVICE"]
    assert "  verdict   valid\n  host      the simulated host: Xen 4.20, GICv3" in out
    assert xenvm("list")[1].count("\n") == 2, "no guest came of it"


def test_a_dry_run_is_the_same(folder: Path, xenvm: Xenvm) -> None:
    path = config(folder)
    assert xenvm("create", "-n", "-q", path) == xenvm("plan", path)
    assert xenvm("create", "-n", "-q", "-p", "--json", path) == xenvm("plan", "-p", "--json", path)
    assert xenvm("create", "-n", path)[2] == f"Parsing config from {path}\n"


def test_one_part_is_for_other_programs(folder: Path, xenvm: Xenvm) -> None:
    path = config(folder)
    assert xenvm("plan", "--only", "dts", path)[1].startswith("/dts-v1/;\n")
    text = xenvm("plan", "--only", "store", path)[1]
    assert '  /local/domain/1/name = "g"   (n0,r1)\n' in text
    assert "MEMORY" in xenvm("plan", "--only", "memory,dts", path)[1]
    assert xenvm("plan", "--only", "magic", path)[0] == 2


def test_json(folder: Path, xenvm: Xenvm) -> None:
    code, fields, err = planned(xenvm, config(folder), "memory=128")
    assert (code, err, fields["verdict"]) == (VALID, "", "valid")
    assert fields["guest"]["memory_kib"] == 128 * 1024
    assert [step["step"] for step in fields["steps"]] == list(range(1, len(fields["steps"]) + 1))
    kinds = {step["kind"] for step in fields["steps"]}
    assert kinds == {"hypercall", "store", "host"}
    assert fields["steps"][-1] == {
        "step": len(fields["steps"]),
        "kind": "hypercall",
        "operation": "unpause",
        "arguments": {"domid": 1},
    }


def test_a_part_of_the_json(folder: Path, xenvm: Xenvm) -> None:
    path = config(folder)
    assert planned(xenvm, "--only", "memory", path)[1].keys() == {"version", "verdict", "memory"}
    (introduced,) = (
        step
        for step in planned(xenvm, "--only", "store", path)[1]["steps"]
        if step["kind"] == "store" and step["operation"] == "introduce"
    )
    assert introduced["arguments"] == {"domid": 1, "gfn": 0x39001, "port": 1}


def test_conflict(folder: Path, xenvm: Xenvm) -> None:
    path = config(folder)
    assert xenvm("create", "-q", path)[0] == 0
    code, out, err = xenvm("plan", path)
    assert code == CONFLICT and err == "xenvm: a domain named 'g' exists already: domid 1\n"
    assert "verdict   conflict: a domain named 'g' exists already" in out and "HYPERCALLS" in out
    code, fields, _ = planned(xenvm, path)
    assert (code, fields["verdict"], fields["create_would_exit_with"]) == (CONFLICT, "conflict", 4)
    assert xenvm("create", "-q", path)[0] == 4, "and so it does"


def test_a_host_that_cannot_even_begin(folder: Path, xenvm: Xenvm) -> None:
    path = config(folder, gic_version="v2")
    code, fields, err = planned(xenvm, path)
    assert (code, fields["create_would_exit_with"]) == (CONFLICT, 7)
    assert "this host has no such controller" in err and "steps" not in fields
    assert "SUMMARY\n  verdict   conflict: " in xenvm("plan", path)[1]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"kernel": "/no/such"}, "/no/such: no such file or directory"),
        ({"memory": "much"}, "memory"),
        ({"on_crash": "soft-reset"}, "cannot reset a domain softly"),
        ({"disk": ["/x,qcow2,xvda,rw"]}, "format qcow2 needs QEMU"),
    ],
)
def test_invalid(folder: Path, xenvm: Xenvm, settings: dict[str, object], says: str) -> None:
    path = config(folder, **settings)
    code, out, err = xenvm("plan", path)
    assert (code, out) == (INVALID, "") and says in err
    code, fields, err = planned(xenvm, path)
    assert (code, fields["verdict"]) == (INVALID, "invalid") and says in fields["reasons"][0] in err


def test_each_thing_that_is_wrong_has_its_place(folder: Path, xenvm: Xenvm) -> None:
    path = config(folder, memory="much", vcpus="some")
    code, fields, err = planned(xenvm, path, 'maxvcpus="none"')
    places = [(each["source"], each["line"] > 0, each["column"] > 0) for each in fields["findings"]]
    assert code == INVALID and len(places) == 3, fields
    assert places[:2] == [(path, True, True)] * 2 and places[2][0] != path
    assert [each["key"] for each in fields["findings"]] == ["memory", "vcpus", "maxvcpus"]
    assert err == "".join(f"{'xenvm: ' * (not n)}{reason}\n" for n, reason in enumerate(fields["reasons"]))
    assert all(map(str.endswith, fields["reasons"], [each["message"] for each in fields["findings"]]))


def test_what_has_no_place(folder: Path, xenvm: Xenvm) -> None:
    (found,) = planned(xenvm, config(folder, kernel="/no/such"))[1]["findings"]
    assert (found["source"], found["line"], found["message"]) == ("/no/such", 0, "no such file or directory")
    (found,) = planned(xenvm, config(folder, gic_version="v2"))[1]["findings"]
    assert (found["source"], found["line"]) == ("", 0) and "no such controller" in found["message"]
    (found,) = planned(xenvm, "/no/such.cfg")[1]["findings"]
    assert (found["source"], found["severity"]) == ("/no/such.cfg", "error")


def test_a_host_that_is_not_here(folder: Path, xenvm: Xenvm) -> None:
    path = config(folder, kernel="/no/such/Image", ramdisk="/no/such/initrd", disk=["/no/such.img,raw,xvda,rw"])
    code, out, err = xenvm("plan", "--xen", "4.17", "--gic", "v2", path)
    assert code == VALID and "a host as it was told: Xen 4.17, GICv2" in out
    assert err.count("is not here: taken for") == 2
    assert not (folder / "world").exists(), "no host was opened"
    assert xenvm("plan", "--xen", "5.0", path)[0] == INVALID


@pytest.mark.parametrize(("minor", "bits"), list(zip(range(14, 23), (36, 40, 42, 44, 48) * 2, strict=False)))
def test_hosts_of_all_kinds(folder: Path, xenvm: Xenvm, minor: int, bits: int) -> None:
    code, fields, _ = planned(xenvm, "--xen", f"4.{minor}", "--gpaddr-bits", str(bits), config(folder))
    assert (code, fields["host"]["xen"], fields["host"]["gpaddr_bits"]) == (VALID, f"4.{minor}", bits)


def test_names_that_are_no_text(folder: Path, xenvm: Xenvm) -> None:
    path = folder / "g.cfg"
    path.write_bytes(Path(config(folder, name="NAME")).read_bytes().replace(b"NAME", b"n\xff\xc3\xa4"))
    code, out, _ = xenvm("plan", str(path))
    assert code == VALID and "guest     n\\xff\u00e4: 64-bit" in out and '/name = "n\\xff\\xc3\\xa4"   (n0,r1)' in out
    assert planned(xenvm, str(path))[1]["guest"]["name"] == "n\udcff\u00e4"


def test_a_host_that_cannot_be_opened(folder: Path, xenvm: Xenvm, monkeypatch: pytest.MonkeyPatch) -> None:
    from xenvm.cli import plan
    from xenvm.errors import HostError

    def closed() -> None:
        raise HostError("must be root")

    monkeypatch.setattr(plan, "open_host", closed)
    assert xenvm("plan", config(folder))[0] == 1, "who names a host wants that one"
    assert xenvm("plan", "--json", config(folder)) == (1, "", "xenvm: must be root\n")
    monkeypatch.delenv(VARIABLE)
    assert not run.explicit_host()
    code, out, err = xenvm("plan", config(folder))
    assert code == VALID and "a host that is assumed" in out
    assert err == "xenvm: nothing was checked against this host: must be root\n"
