"""Documents of others: what they mean, what xl.cfg has no place for, and what is refused."""

from __future__ import annotations

import pytest

from xenvm.errors import ConfigError
from xenvm.guest.cfg import parse
from xenvm.interop.from_xml import from_xml
from xenvm.interop.xmlkept import NAMESPACE

OS = "<os><type machine='xenpvh'>xenpvh</type><kernel>/k</kernel></os>"


def domain(inside: str = "", devices: str = "", system: str = OS) -> bytes:
    return (
        f"<domain type='xen'><name>g</name><memory unit='MiB'>64</memory>{system}{inside}"
        f"<devices>{devices}</devices></domain>"
    ).encode()


def kept(inside: str) -> str:
    return f"<metadata><x:config xmlns:x='{NAMESPACE}'>{inside}</x:config></metadata>"


def lists(document: bytes, key: str) -> list[str]:
    value = parse(from_xml(document, "g.xml").text).settings[key].value
    return [item.text for item in value.items]  # type: ignore[union-attr]


def test_the_least() -> None:
    text = from_xml(domain(), "g.xml")
    assert text.text == 'name = "g"\ntype = "pvh"\nkernel = "/k"\nmemory = 64\n'
    assert text.notes == ()


@pytest.mark.parametrize(
    ("memory", "mib"),
    [("65536", 64), ("<x/>", None), ("1", 1)],
)
def test_memory_without_a_unit_is_kib(memory: str, mib: int | None) -> None:
    document = f"<domain type='xen'><name>g</name><memory>{memory}</memory>{OS}</domain>".encode()
    if mib is None:
        with pytest.raises(ConfigError, match="<memory> is not a number"):
            from_xml(document, "g.xml")
    else:
        assert f"memory = {mib}\n" in from_xml(document, "g.xml").text


@pytest.mark.parametrize("unit, count, mib", [("b", 1 << 20, 1), ("GiB", 2, 2048), ("KB", 2097, 2), ("M", 3, 3)])
def test_units(unit: str, count: int, mib: int) -> None:
    document = domain().replace(b"unit='MiB'>64", f"unit='{unit}'>{count}".encode())
    assert f"memory = {mib}\n" in from_xml(document, "g.xml").text


def test_what_libvirt_itself_writes_for_a_running_guest() -> None:
    found = from_xml(
        domain(
            "<vcpu placement='static' current='1'>2</vcpu><clock offset='utc' adjustment='reset'/>"
            "<on_reboot>restart</on_reboot>",
            "<emulator>/usr/bin/q</emulator>"
            "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/a'/>"
            "<target dev='xvda' bus='xen'/><alias name='d'/></disk>"
            "<interface type='bridge'><mac address='00:16:3e:00:00:01'/><source bridge='b'/><target dev='vif1.0'/>"
            "</interface><console type='pty' tty='/dev/pts/3'><source path='/dev/pts/3'/><target type='xen' port='0'/>"
            "</console><memballoon model='xen'/>",
        ).replace(b"type='xen'>", b"type='xen' id='7'>", 1),
        "g.xml",
    )
    assert found.notes == ()
    assert 'disk = [\n    "format=raw,vdev=xvda,access=rw,backendtype=qdisk,target=/a",\n]\n' in found.text
    assert '"mac=00:16:3e:00:00:01,bridge=b"' in found.text
    assert "vcpus = 1\nmaxvcpus = 2\n" in found.text


@pytest.mark.parametrize(
    ("inside", "devices", "note"),
    [
        ("<description>x</description>", "", "description"),
        ("<features><acpi/></features>", "", "features/acpi"),
        ("", "<graphics type='vnc'/>", "devices/graphics"),
        ("", "<disk type='file' snapshot='no'><source file='/a'/><target dev='xvda'/></disk>", "disk@snapshot"),
        ("<cputune><shares>3</shares></cputune>", "", "cputune/shares"),
        ("", "<hostdev mode='subsystem' type='usb'/>", "devices/hostdev"),
    ],
)
def test_what_has_no_place_is_told(inside: str, devices: str, note: str) -> None:
    notes = from_xml(domain(inside, devices), "g.xml").notes
    assert [text for text in notes if text.endswith(f"{note}: left out")], notes


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"<domain>\n </x>", "g.xml:2:4: this is not XML: mismatched tag"),
        (b"<network/>", "a <network> is no <domain>"),
        (b"<!DOCTYPE d [<!ENTITY a 'b'>]><domain/>", "document type"),
        (b"<domain type='kvm'/>", "type 'kvm' is no Xen guest"),
        (domain(system="<os><type>hvm</type></os>"), "type 'hvm' cannot run on ARM"),
        (domain(system="<os><type arch='x86_64'>linux</type></os>"), "a guest for x86_64 cannot run on ARM"),
        (domain("<clock offset='localtime'/>"), "<clock>"),
        (domain("<vcpu>many</vcpu>"), "<vcpu> is not a number: 'many'"),
        (domain(devices="<interface type='network'/>"), "interface of type 'network'"),
        (domain(devices="<disk><driver name='zfs'/><target dev='xvda'/></disk>"), "unknown driver 'zfs'"),
        (domain(devices="<disk><target dev='xvda,w'/></disk>"), "no way to write a comma"),
        (domain(devices="<interface type='bridge'><source bridge='a,script=x'/></interface>"), "a comma"),
        (domain(devices="<channel type='pty'><target name='a,b'/></channel>"), "a comma"),
        (domain(devices="<hostdev type='pci'><source><address bus='z'/></source></hostdev>"), "PCI address"),
        (domain(kept("<x:setting key='a'>1\nkernel = '/evil'</x:setting>")), "more than one assignment"),
        (domain(kept("<x:setting key='a = 1; b'>1</x:setting>")), "more than one assignment"),
        (b"<domain>" + b" " * (1 << 20) + b"</domain>", "longer than"),
    ],
)
def test_what_is_refused(document: bytes, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_xml(document, "g.xml")
    assert reason in str(caught.value)


def test_what_was_kept_comes_back() -> None:
    document = domain(
        kept("<x:setting key='irqs'>[33]</x:setting><x:item key='disk'>vdev=xvdb,script=s,target=t</x:item>"),
        "<disk><source file='/a'/><target dev='xvda'/></disk>",
    )
    assert lists(document, "disk") == ["format=raw,vdev=xvda,access=rw,target=/a", "vdev=xvdb,script=s,target=t"]
    assert lists(document, "irqs") == ["33"]


def test_the_xml_wins_over_what_was_kept() -> None:
    assert 'name = "evil"' not in from_xml(domain(kept("<x:setting key='name'>'evil'</x:setting>")), "g.xml").text


def test_a_rate_that_was_changed_in_libvirt_is_the_new_one() -> None:
    extra = kept("<x:vif id='0' rate='2500/20000'/>")

    def vif(average: int) -> str:
        limits = f"<bandwidth><outbound average='{average}'/></bandwidth>"
        return lists(domain(extra, f"<interface type='bridge'><source bridge='b'/>{limits}</interface>"), "vif")[0]

    assert vif(125) == "bridge=b,rate=125000B/s@20000us"
    assert vif(126) == "bridge=b,rate=126KB/s"
