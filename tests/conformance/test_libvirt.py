"""Our conversion to and from libvirt's XML beside libvirt's own, and against libvirt's schema."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support import libvirt_xl
from tests.unit.interop.test_convert import CASES, loaded
from xenvm.guest.spec import Affinity, GuestSpec
from xenvm.interop.from_xml import from_xml
from xenvm.interop.to_xml import to_xml

DEFAULTS = ("memory = 32", 'on_crash = "destroy"')
"""libvirt reads a configuration that lacks these otherwise than xl."""
BOTH = pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)


@pytest.fixture(scope="module", autouse=True)
def libvirts() -> None:
    if reason := libvirt_xl.missing():
        assert not os.environ.get("CI"), reason
        pytest.skip(reason)


def shared(spec: GuestSpec) -> GuestSpec:
    """What libvirt 9.0 converts of a guest. It drops the rest of these without a word; we keep them."""
    disks = [
        disk.replace(
            discard=None,
            trusted=None,
            backend="0",
            # It takes every file for one of QEMU's.
            backendtype=None,
        )
        for disk in spec.disks
        if not disk.script
    ]
    # To libvirt, a kilobyte of a rate has 1024 bytes where it reads, and 1000 where it writes.
    nics = [nic.replace(mtu=None, vlan=None, backend="0", rate=None, script=None, model=None) for nic in spec.nics]
    return spec.replace(
        disks=tuple(disks),
        nics=tuple(nics),
        affinity=Affinity(),
        gic_version="default",
        vuart=False,
        irqs=(),
        on_watchdog="destroy",
        # It always writes that the clock is in UTC.
        localtime=None,
        uuid=None,
    )


def plain(path: Path) -> str:
    """A configuration without what libvirt 9.0 cannot read: escapes, lists of CPUs, two addresses of an interface, a
    script's target, what is newer than it; and with what it has other defaults for."""
    text = path.read_text().replace("ip=10.0.0.2 fe80::2", "ip=10.0.0.2").replace('    "",\n', "")
    text = text.replace('\\"one\\"', "one").replace('["0", "1-2"]', '"0-2"').replace(",untrusted", "")
    lines = [line for line in text.splitlines() if "script=block" not in line and '"disabled"' not in line]
    return "\n".join([*lines, *(line for line in DEFAULTS if line.split()[0] not in text)]) + "\n"


@BOTH
def test_libvirt_reads_our_xml_as_we_mean_it(path: Path) -> None:
    text = plain(path)
    xml = to_xml(text, path.name, arch="aarch64")[0].text
    assert shared(loaded(libvirt_xl.convert(xml))) == shared(loaded(text))


@BOTH
def test_we_read_libvirts_xml_as_it_means_it(path: Path) -> None:
    text = plain(path)
    spec = loaded(from_xml(libvirt_xl.convert(text).encode(), path.name).text)
    assert shared(spec) == shared(loaded(text))


@BOTH
def test_our_xml_is_valid(path: Path) -> None:
    """libvirt checks it by its schema, and has what we kept when it is asked for the domain."""
    libvirt = pytest.importorskip("libvirt")
    libvirt.registerErrorHandler(lambda *_: None, None)
    text = path.read_text().replace('    "",\n', "")
    connection = libvirt.open("test:///default")
    document = to_xml(text, path.name)[0].text
    domain = connection.defineXMLFlags(document, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
    # Its test driver takes the machine for an i686.
    again = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE).replace("arch='i686'", "arch='aarch64'")
    connection.close()
    spec, back = loaded(text), loaded(from_xml(again.encode(), path.name).text)
    assert given(back) == given(spec)


def given(spec: GuestSpec) -> GuestSpec:
    """Without the names that libvirt makes up where a guest has none."""
    return spec.replace(uuid=None, nics=tuple(nic.replace(mac=None, vifname=None) for nic in spec.nics))
