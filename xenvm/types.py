"""The field's own units, as types: a frame number is not an address is not a size.

At run time they are plain ``int``; only the type checker tells them apart, so importing this costs nothing.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NewType

    Domid = NewType("Domid", int)
    """Domain identifier, 0..0x7fef."""
    Gfn = NewType("Gfn", int)
    """Guest frame number, always of 4 KiB."""
    Gpa = NewType("Gpa", int)
    """Guest-physical address in bytes."""
    KiB = NewType("KiB", int)
    """A size in units of 1024 bytes."""
    Port = NewType("Port", int)
    """Event-channel port."""
    Stamp = tuple[int, ...]
    """What tells a file's state from any other: when it last changed, in nanoseconds since 1970, and more."""
else:
    Domid = Gfn = Gpa = KiB = Port = int
    Stamp = tuple

PAGE_SHIFT = 12
PAGE_SIZE = 1 << PAGE_SHIFT
"""Xen's page: 4 KiB on every ARM, whatever page size the kernel of dom0 uses."""

MIB = 1 << 20
DOM0 = Domid(0)
NAME_BYTES = 200
"""The longest name of a guest: logs have it in the names of their files."""
