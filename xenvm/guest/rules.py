"""The rules of `xenvm check`: ids that stay, each with a name and a sentence; nobody else lists them."""

from __future__ import annotations

from xenbus.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Rule(Value):
    """One rule; its findings are errors or warnings, see :class:`xenvm.guest.cfg.Diagnostic`."""

    id: str
    name: str
    summary: str


_ROWS = (
    # id, name, what it finds
    ("XV000", "unreadable", "The file cannot be read."),
    ("XV001", "syntax", "The text is not in the language of xl.cfg."),
    ("XV002", "crlf", "The file has the line ends of DOS, which xl takes for a syntax error."),
    ("XV003", "byte-order-mark", "The file begins with a byte order mark."),
    ("XV004", "numeric-escape", "An escape by number in a string: xl yields nothing for it, or an error."),
    ("XV010", "unknown-setting", "A setting that xl.cfg does not have: xl ignores it without a word."),
    ("XV011", "set-twice", "A setting is made again: what was said before is lost."),
    ("XV012", "no-effect", "A setting that has no effect on ARM, such as those of x86."),
    ("XV013", "not-possible", "A setting that cannot be granted on ARM or by xenvm."),
    ("XV014", "cmdline-wins", "`root` or `extra` beside `cmdline`, which wins."),
    ("XV015", "deprecated", "An old spelling, or a part that has no effect."),
    ("XV020", "list-or-not", "A list where a single value belongs, or the reverse: xl ignores the setting."),
    ("XV021", "lost-entries", "A list inside a list: for xl the list ends there, and the rest is lost."),
    ("XV022", "not-a-number", "A text where a number belongs: xl uses the default instead."),
    ("XV023", "octal", "A number that begins with a zero is octal: 010 is eight."),
    ("XV024", "out-of-range", "A number that is too small or too large, or that contradicts another one."),
    ("XV025", "added-number", "`+=` on a number: xl loses the value."),
    ("XV026", "wrong-value", "A value that the setting does not have."),
    ("XV027", "extra-elements", "More elements than vCPUs: the others are ignored."),
    ("XV030", "bad-disk", "A disk that cannot be understood, or that xenvm cannot serve."),
    ("XV031", "bad-vif", "A network interface that cannot be understood: xl creates it without the unknown part."),
    ("XV032", "bad-device", "Another device that cannot be understood."),
    ("XV033", "same-vdev", "Two disks with one virtual device."),
    ("XV034", "same-devid", "Two network interfaces with one number."),
    ("XV035", "same-mac", "Two network interfaces with one MAC address, in one file or in several."),
    ("XV036", "overlapping-vdevs", "Disks that Linux gives one name (hda, xvda), or a disk and its partition."),
    ("XV037", "multicast-mac", "A MAC address for groups, which no interface can have."),
    ("XV038", "shared-disk", "A disk that one guest may write and another one uses."),
    ("XV039", "rate-unit", "The interval of a rate without a unit: it counts as seconds, not as microseconds."),
    ("XV040", "missing-file", "A kernel, ramdisk, device tree or disk that is not there."),
    ("XV041", "wrong-kernel", "A kernel file that is none for guests on ARM, such as a bzImage of x86."),
    ("XV042", "wrong-device-tree", "A partial device tree that is none."),
    ("XV043", "too-little-memory", "Kernel, ramdisk and device tree do not fit into the memory."),
    ("XV050", "same-name", "Two files describe guests of one name."),
    ("XV051", "same-uuid", "Two files describe guests of one uuid."),
    ("XV052", "same-vifname", "A name of an interface that is taken by another vif, or too long for Linux."),
    ("XV053", "same-hardware", "An interrupt, page or device of the host that is given to two guests."),
    ("XV060", "incomplete", "A setting is missing that every guest needs."),
    ("XV061", "numeric-name", "A name that is a number, which commands take for a domid."),
    ("XV062", "too-many-vcpus", "More vCPUs than the interrupt controller that is asked for can have."),
    ("XV063", "root-without-disk", "The kernel's root is a disk that the guest does not have."),
    ("XV064", "not-for-32-bit", "A setting that a guest with a 32-bit kernel cannot have."),
    ("XV065", "interrupts", "Interrupts that are taken by the guest's own devices, or more than `nr_spis`."),
)  # fmt: skip


def rules() -> Iterator[Rule]:
    """All rules, by id."""
    return (Rule(*row) for row in _ROWS)


def is_rule(name: str) -> bool:
    """Whether there is a rule of this id."""
    return any(row[0] == name for row in _ROWS)
