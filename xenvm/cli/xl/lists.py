"""Lists of devices, whose headers and codes xl has otherwise than our own commands."""

from __future__ import annotations

from xenvm.cli.xl.shim import FAILED, tell
from xenvm.errors import NoSuchDomain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.cli.xl.shim import Call

_PCIBACK = "/sys/bus/pci/drivers/pciback"
_KINDS = {"pci-list": "pci", "usb-list": "vusb", "vtpm-list": "vtpm"}
_VTPM_HEADER = "Idx BE Uuid                                 handle state evt-ch ring-ref BE-path   "


def devices(call: Call) -> int:
    """Lists devices; of a domain that is not there xl prints the header, and for a name of a vif's it ends with 1."""
    from xenvm.cli import devices as ours

    blocks = call.row.native == "block-list"

    rest = call.operands
    while rest:
        try:
            return call.native(rest)
        except NoSuchDomain as error:
            who = str(error.who)
            if not who.isdecimal() and not blocks:
                print(ours.NETWORK_HEADER)
                raise
            if not who.isdecimal():
                tell(f"{who} is an invalid domain identifier")
            rest = [word for word in rest if word != who]
    print(ours.BLOCK_HEADER if blocks else ours.NETWORK_HEADER)
    return 0


def vcpu_list(call: Call) -> int:
    """The header comes before a domain is looked for."""
    try:
        return call.native()
    except NoSuchDomain:
        from xenvm.cli.vcpus import HEADER

        print(HEADER)
        raise


def listed(call: Call) -> int:
    """channel-list, vkb-list: the header comes before a domain is looked for."""
    from xenvm.cli import class_words, classes

    try:
        return min(call.native(), FAILED)
    except NoSuchDomain:
        print(classes.CHANNEL_HEADER if call.row.native == "channel-list" else class_words.VKB_HEADER)
        raise


def unheaded(call: Call) -> int:
    """vdispl-list, vsnd-list: xl prints nothing where there is nothing, and passes over domains that are not there."""
    from xenvm.cli.run import open_host
    from xenvm.ops import names
    from xenvm.ops.devices import of_kind

    kind, found = call.row.native.partition("-")[0], []
    with open_host() as host:
        for who in call.operands:
            try:
                found += [who] if of_kind(host, names.find(host, who).domid, kind) else []
            except NoSuchDomain:
                if not who.isdecimal():
                    tell(f"{who} is an invalid domain identifier")
    return min(call.native(found), FAILED) if found else 0


def absent(call: Call) -> int:
    """What no guest of xenvm has; one of xl's that has it nevertheless is not passed over in silence."""
    from xenvm.cli.run import open_host
    from xenvm.ops import names
    from xenvm.ops.devices import of_kind

    kind = _KINDS[call.row.name]
    if kind == "vtpm":
        print(_VTPM_HEADER)
    with open_host() as host:
        found = [device for who in call.operands for device in of_kind(host, names.find(host, who).domid, kind)]
    return tell(f"xl: {call.operands[0]} has a device of the class {kind}, which xenvm does not know") if found else 0


def assignable(call: Call) -> int:
    """The devices that the driver pciback has; none where there is no such driver."""
    import os

    from xenvm.cli.run import open_host

    with open_host() as host:
        real = host.lasting
    try:
        found = os.listdir(_PCIBACK) if real else []
    except FileNotFoundError:
        found = []
    for name in sorted(found):
        if name.count(":") == 2 and "." in name:
            print(name)
    return 0
