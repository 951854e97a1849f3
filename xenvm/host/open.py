"""Chooses the host that a command works on: the only module that knows which kinds there are."""

from __future__ import annotations

import os

from xenvm.errors import HostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from xenbus.client import Store
    from xenvm.host.back import BackSide
    from xenvm.host.hyper import Hypervisor
    from xenvm.host.plumbing import Plumbing

VARIABLE = "XENVM_HOST"
"""What the environment says of the host, where the command line does not: ``xen``, ``sim`` or ``sim:FOLDER``.

Behind the folder may stand what a new simulated host is made of, as ``?xen=4.17&gic=v2``.
"""
SIMULATED = "this machine has no Xen: the host is simulated, and no guest really runs"
"""The notice of a host that nobody asked for."""
XL_CONF = "/etc/xen/xl.conf"
CONF_VARIABLE = "XENVM_XL_CONF"
"""Names another file in its place, or with an empty text none; a simulated host has only this one."""
_MOST_CONF = 1 << 16
_SIGNS = ("dev/xen/privcmd", "proc/xen", "sys/hypervisor/type")
"""What is there under Xen, whether it can be used or not."""
_INTERRUPTS = "/proc/interrupts"


class Host:
    """A hypervisor, its store and its plumbing; each is opened when it is first needed."""

    notice = ""
    """A line for the user, if there is something to know about this host."""
    lasting = True
    """Whether guests live on by themselves when this process ends, and need somebody to watch them."""
    resident = False
    """Whether this process makes many guests: then what it knows of others is kept up to date by a watch, and a
    creation costs the same however many there are. Whoever lives long may set it."""
    exclusive = False
    """Whether all other commands wait as long as this process has it: who waits for a person closes it meanwhile."""
    courteous = False
    """Whether a console client may let others have an `exclusive` host while nobody types, and go on with what they
    have made of it: whoever holds nothing of the host but itself may set it."""
    _hyper: Hypervisor | None = None
    _store: Store | None = None

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        """What xenvm.ops keeps from one creation to the next, if `resident`."""

    @property
    def hyper(self) -> Hypervisor:
        """The hypervisor."""
        if self._hyper is None:
            from xenvm.host.xen.hypervisor import XenHypervisor

            self._hyper = XenHypervisor.open()
        return self._hyper

    @property
    def store(self) -> Store:
        """The host's xenstore."""
        if self._store is None:
            from xenbus.client import connect

            self._store = connect()
        return self._store

    @property
    def plumbing(self) -> Plumbing:
        """Loop devices, bridges, scripts, locks."""
        from xenvm.host import plumbing

        return plumbing  # type: ignore[return-value]  # its modules are imported as they are used

    def back_side(self) -> BackSide:
        """What a back end of this program may do; HostError where the kernel has no gntdev and evtchn."""
        from xenvm.host.xen.backside import Dom0Side

        return Dom0Side()

    @property
    def gic(self) -> int | None:
        """Version of the interrupt controller that guests get (2 or 3), as far as it can be told before Xen is asked
        for one: dom0 has the same."""
        with open(_INTERRUPTS, encoding="ascii", errors="replace") as file:
            text = file.read()
        return next((version for version, name in ((3, "GICv3"), (2, "GICv2")) if name in text), None)

    def attended(self, attend: Callable[[Host, Callable[[str], None]], object]) -> None:
        """Has `attend` see to guests that have gone down, on a host where no process does."""

    def reconnect(self) -> None:
        """Gives up the store's connection, which was lost; the next use makes a new one."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def changed_at(self, path: str) -> float | None:
        """Since when the state of a device is what it is, by the store's clock; None where nobody has noted it."""
        return None

    def date(self) -> float:
        """Seconds since 1970; a simulated world begins in 1970, and its clock stands still between commands."""
        from time import time

        return time()

    def until_changed(self) -> None:
        """Closes a host that is `exclusive`, and returns when another command has changed it: who goes on opens it
        anew."""

    def close(self) -> None:
        """Releases what was opened."""
        if self._store is not None:
            self._store.close()
        if self._hyper is not None:
            self._hyper.close()

    def __enter__(self) -> Host:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def open_host(choice: str | None = None, tell: Callable[[str], object] = lambda _text: None) -> Host:
    """The host that is meant by `choice`, or else by $XENVM_HOST: ``xen``, ``sim`` or ``sim:FOLDER``.

    Where neither says anything it is the Xen of this machine, or a simulated one where there is none. `tell` hears whom
    a simulated one has to be waited for. HostError.
    """
    choice = choice or os.environ.get(VARIABLE) or ""
    kind, _, folder = choice.partition(":")
    if kind == "sim":
        return _simulated(folder, "", tell)
    if choice not in ("", "xen"):
        raise HostError(f"{choice!r} names no host: there are xen, sim, sim:FOLDER and libvirt:URI")
    if choice == "xen" or under_xen():
        return Host()
    return _simulated("", SIMULATED, tell)


def xl_conf(choice: str | None = None) -> tuple[str, bytes]:
    """Path and contents of what the host says of all guests; nothing of a file with comments alone. HostError."""
    choice = choice or os.environ.get(VARIABLE) or ""
    real = choice == "xen" or (not choice and under_xen())
    path = os.environ.get(CONF_VARIABLE, XL_CONF if real else "")
    if not path:
        return "", b""
    try:
        with open(path, "rb") as file:
            data = file.read(_MOST_CONF)
    except FileNotFoundError:
        return path, b""
    except OSError as error:
        raise HostError(f"{path} cannot be read: {error.strerror}") from error
    says = any(line.strip() and line.lstrip()[:1] != b"#" for line in data.splitlines())
    return path, data if says else b""


def under_xen(root: str = "/") -> bool:
    """Whether this machine runs under Xen, as dom0 or as a guest."""
    return any(os.path.exists(root + sign) for sign in _SIGNS)


def _simulated(folder: str, notice: str, tell: Callable[[str], object]) -> Host:
    from xenvm.host.sim.host import open_world

    return open_world(folder, notice, tell)
