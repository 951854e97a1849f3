"""Flask (xsm/flask_op.h) and overlays of the host's device tree (sysctl.h, domctl.h: dt_overlay)."""

from __future__ import annotations

from errno import E2BIG
from struct import pack, unpack_from

from xenvm.errors import HypercallError
from xenvm.host.admin import LARGEST_OVERLAY, LARGEST_POLICY
from xenvm.host.xen.buffers import DATA, DATA_SIZE
from xenvm.host.xen.calls import XSM_OP
from xenvm.host.xen.operations import Operations, checked
from xenvm.types import Domid

_FLASK_VERSION = 1
_LOAD, _GET_ENFORCE, _SET_ENFORCE, _SID_TO_CONTEXT = 1, 2, 3, 5
_SYSCTL_OVERLAY, _DOMCTL_OVERLAY = 30, 87
_ADD, _REMOVE, _ATTACH = 1, 2, 1


class AdminOperations(Operations):
    """Implements xenvm.host.admin.XenControl."""

    def enforcing(self) -> bool:
        """Whether Flask forbids what its policy does not allow."""
        return self._flask("getenforce", _GET_ENFORCE) != 0

    def set_enforcing(self, on: bool) -> None:
        """Changes that."""
        self._flask("setenforce", _SET_ENFORCE, pack("<I", on))

    def load_policy(self, policy: bytes) -> None:
        """Puts a compiled policy in the place of the one at work."""
        address = self._lent("loadpolicy", policy, LARGEST_POLICY)
        self._flask("loadpolicy", _LOAD, pack("<QI", address, len(policy)))

    def label(self, ssidref: int) -> str:
        """The security label of this number."""
        with self._calls.buffer() as buffer:
            body = pack("<IIIIQ", _SID_TO_CONTEXT, _FLASK_VERSION, ssidref, DATA_SIZE, buffer.data)
            checked(self._calls.hypercall(XSM_OP, buffer.put(body.ljust(64, b"\0"))), "flask_op")
            (size,) = unpack_from("<I", buffer.view, 12)
            text = buffer.get(min(size, DATA_SIZE), DATA)
        return text.partition(b"\0")[0].decode("utf-8", "surrogateescape")

    def _flask(self, name: str, command: int, body: bytes = b"") -> int:
        with self._calls.buffer() as buffer:
            message = (pack("<II", command, _FLASK_VERSION) + body).ljust(64, b"\0")
            return checked(self._calls.hypercall(XSM_OP, buffer.put(message)), name)

    def add_overlay(self, overlay: bytes) -> None:
        """Adds an overlay to the host's device tree."""
        self._overlay(_ADD, overlay)

    def remove_overlay(self, overlay: bytes) -> None:
        """Takes an overlay out again."""
        self._overlay(_REMOVE, overlay)

    def _overlay(self, operation: int, overlay: bytes) -> None:
        body = self._overlay_body(operation, overlay)
        with self._calls.buffer() as buffer:
            self._sysctl("dt_overlay", _SYSCTL_OVERLAY, body, buffer)

    def attach_overlay(self, domid: Domid, overlay: bytes) -> None:
        """Gives the devices of an overlay that was added to a domain."""
        self._domctl("dt_overlay", _DOMCTL_OVERLAY, domid, self._overlay_body(_ATTACH, overlay))

    def _overlay_body(self, operation: int, overlay: bytes) -> bytes:
        return pack("<QIB3x", self._lent("dt_overlay", overlay, LARGEST_OVERLAY), len(overlay), operation)

    def _lent(self, name: str, content: bytes, largest: int) -> int:
        """The address of bytes that may be more than a buffer has room for."""
        if len(content) > largest:
            raise HypercallError(name, E2BIG, detail=f"it is larger than {largest} bytes")
        return self._calls.lend(content)
