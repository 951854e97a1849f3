"""What a simulated kernel does on request of the toolstack: control/shutdown, control/sysrq, vCPUs, its balloon.

It follows Linux: requests are acknowledged by emptying the node, and only those that are known.
"""

from __future__ import annotations

from xenbus.errors import StoreError
from xenbus.parse import parse_decimal
from xenbus.request import Write
from xenvm.host.sim import sides
from xenvm.types import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenbus.transaction import Transaction
    from xenbus.watcher import Watcher
    from xenvm.host.sim.kernel import Kernel

_SHUTDOWN, _SYSRQ, _TARGET = "control/shutdown", "control/sysrq", "memory/target"
_KNOWN = (b"poweroff", b"reboot", b"halt", b"suspend")
_FEATURES = ("feature-poweroff", "feature-reboot", "feature-suspend")
_SPARE_PAGES = 256
"""What the balloon leaves alone behind all that is in use."""


class Control:
    """The watches of one kernel on what the toolstack writes."""

    def __init__(self, kernel: Kernel, watcher: Watcher) -> None:
        self._kernel, self._watcher, self._store = kernel, watcher, watcher.store
        self._offset: int | None = None
        watcher.watch(_SHUTDOWN, self._shutdown)
        watcher.watch(_SYSRQ, self._sysrq)
        watcher.watch(_TARGET, self._target)
        watcher.watch("cpu", self._cpu)

    def announce(self) -> None:
        """Says which requests are understood."""
        self._store.batch([Write(f"control/{name}", "1") for name in _FEATURES])

    def state(self) -> int | None:
        """What restore() takes."""
        return self._offset

    def restore(self, state: int | None) -> None:
        """Goes on where another object stood."""
        self._offset = state

    def _shutdown(self, _path: str) -> None:
        kernel = self._kernel
        if kernel.behaviour.ignore_shutdown or kernel.is_ending:
            return
        command = self._take(_SHUTDOWN, _KNOWN).decode()
        if command == "suspend":
            kernel.log("Freezing user space processes")
            kernel.end_now(sides.SHUTDOWN_SUSPEND)
        elif command:
            kernel.go_down(command)

    def _sysrq(self, _path: str) -> None:
        key = self._take(_SYSRQ).decode("latin-1")[:1]
        if not key:
            return
        kernel = self._kernel
        kernel.log(f"sysrq: {key!r}")
        if key == "c":
            kernel.panic("sysrq triggered crash")
        elif key in "bo":
            kernel.end_now(sides.SHUTDOWN_REBOOT if key == "b" else sides.SHUTDOWN_POWEROFF)

    def _take(self, path: str, known: tuple[bytes, ...] | None = None) -> bytes:
        """The request in a node, which is emptied; nothing, and it is left, if it is not known."""

        def work(tx: Transaction) -> bytes:
            value = tx.read_or_none(path) or b""
            if not value or (known and value not in known):
                return b""
            tx.write(path, b"")
            return value

        try:
            # The node is nearly always empty, and that takes no transaction.
            return self._store.retry(work) if self._store.read_or_none(path) else b""
        except StoreError:
            return b""  # The guest's own node is gone, or not its own any more.

    def _cpu(self, path: str) -> None:
        names = path.split("/")
        if len(names) == 1:
            for name in self._store.list_or_empty("cpu"):
                self._set_vcpu(name)
        else:
            self._set_vcpu(names[1])

    def _set_vcpu(self, name: str) -> None:
        vcpu = parse_decimal(name, maximum=len(self._kernel.info.cpus) - 1)
        if vcpu is None:
            return
        wanted = self._store.read_or_none(f"cpu/{vcpu}/availability")
        if wanted in (b"online", b"offline"):
            self._kernel.set_vcpu(vcpu, wanted == b"online")

    def _target(self, _path: str) -> None:
        target = parse_decimal(self._store.read_or_none(_TARGET), maximum=2**40)
        if target is None:
            return
        kernel = self._kernel
        if self._offset is None:
            # As Linux does it: what the guest does not own although it could is never asked for.
            ceiling = parse_decimal(self._store.read_or_none("memory/static-max"), maximum=2**40)
            self._offset = ((target if ceiling is None else ceiling) >> 2) - kernel.pages_owned
        goal = max((target >> 2) - self._offset, self._least())
        if goal != kernel.pages_owned:
            kernel.pages_owned += kernel.side.balloon(goal - kernel.pages_owned)

    def _least(self) -> int:
        """Pages that the kernel cannot do without."""
        used = self._kernel.pages_in_use() - (self._kernel.info.banks[0][0] >> PAGE_SHIFT)
        return used + _SPARE_PAGES
