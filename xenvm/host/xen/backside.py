"""What a back end in domain 0 may do on a real host: Linux' xen/gntdev.h and xen/evtchn.h.

Both are devices of the kernel, and all that they need is ioctl, mmap, read and write.
"""

from __future__ import annotations

import os
from fcntl import ioctl
from mmap import MAP_SHARED, PAGESIZE, PROT_READ, PROT_WRITE, mmap
from struct import pack, unpack_from

from xenvm.errors import HostError, HypercallError
from xenvm.types import PAGE_SIZE

GRANTS, EVENTS = "/dev/xen/gntdev", "/dev/xen/evtchn"
_MAP_GRANT, _UNMAP_GRANT = 24 << 16 | ord("G") << 8, 16 << 16 | ord("G") << 8 | 1
_BIND, _UNBIND, _NOTIFY = 8 << 16 | ord("E") << 8 | 1, 4 << 16 | ord("E") << 8 | 3, 4 << 16 | ord("E") << 8 | 4
_READ_SIZE = PAGE_SIZE


class Dom0Side:
    """One program's own gntdev and evtchn; `close` gives back all that it holds. See `host.back.BackSide`."""

    def __init__(self) -> None:
        self._grants = _open(GRANTS, "xen-gntdev")
        try:
            self._events = _open(EVENTS, "xen-evtchn")
        except HostError:
            os.close(self._grants)
            raise
        self._mapped: dict[tuple[int, int], list[tuple[int, mmap, memoryview]]] = {}

    def fileno(self) -> int:
        """For selectors: readable while `pending` would give a port."""
        return self._events

    def map_grant(self, domid: int, ref: int, readonly: bool = False) -> memoryview:
        """The 4096 bytes of a page that a guest has granted."""
        argument = bytearray(pack("<IIQII", 1, 0, 0, domid, ref))
        _ask(self._grants, "map_grant_ref", _MAP_GRANT, argument, domid)
        (index,) = unpack_from("<Q", argument, 8)
        try:
            # The kernel asks Xen here, not before.
            window = mmap(self._grants, PAGESIZE, MAP_SHARED, PROT_READ | (0 if readonly else PROT_WRITE), offset=index)
        except OSError as error:
            self._forget(index)
            detail = f"grant reference {ref}"
            raise HypercallError("map_grant_ref", error.errno or 0, domid=domid, detail=detail) from error
        view = memoryview(window)[:PAGE_SIZE]
        self._mapped.setdefault((domid, ref), []).append((index, window, view))
        return view

    def unmap_grant(self, domid: int, ref: int) -> None:
        """Gives a page back; slices of its view keep it mapped until they are gone."""
        mapped = self._mapped.get((domid, ref))
        if not mapped:
            raise HypercallError("unmap_grant_ref", 22, domid=domid, detail=f"reference {ref} is not mapped")
        index, window, view = mapped.pop()
        if not mapped:
            del self._mapped[domid, ref]
        try:
            view.release()
            window.close()
        except BufferError:
            pass  # The last slice unmaps it.
        self._forget(index)

    def _forget(self, index: int) -> None:
        _ask(self._grants, "unmap_grant_ref", _UNMAP_GRANT, bytearray(pack("<QII", index, 1, 0)))

    def bind(self, domid: int, port: int) -> int:
        """A local port that is bound to a guest's."""
        return _ask(self._events, "bind_interdomain", _BIND, bytearray(pack("<II", domid, port)), domid)

    def unbind(self, port: int) -> None:
        """Closes a local port."""
        _ask(self._events, "evtchn_close", _UNBIND, bytearray(pack("<I", port)))

    def notify(self, port: int) -> None:
        """Sends an event through a local port."""
        _ask(self._events, "evtchn_send", _NOTIFY, bytearray(pack("<I", port)))

    def pending(self) -> set[int]:
        """The local ports that were notified since the last call."""
        try:
            ports = os.read(self._events, _READ_SIZE)
        except BlockingIOError:
            return set()
        # Unmasked before they are served: what comes meanwhile is another event.
        os.write(self._events, ports)
        return set(memoryview(ports).cast("I"))

    def close(self) -> None:
        """The end of it: the kernel unmaps and unbinds what is left."""
        for domid, ref in [key for key, mapped in self._mapped.items() for _ in mapped]:
            self.unmap_grant(domid, ref)
        os.close(self._events)
        os.close(self._grants)


def _ask(device: int, operation: str, number: int, argument: bytearray, domid: int | None = None) -> int:
    """The answer of an ioctl, whose argument the kernel may change; HypercallError."""
    try:
        return int(ioctl(device, number, argument))
    except OSError as error:
        raise HypercallError(operation, error.errno or 0, domid=domid) from error


def _open(path: str, module: str) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise HostError(f"{path} cannot be opened ({error.strerror}): is the module {module} loaded?") from error
