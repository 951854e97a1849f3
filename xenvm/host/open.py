"""Chooses the host that a command works on: the only module that knows which kinds there are."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenbus.client import Store
    from xenvm.host.hyper import Hypervisor


class Host:
    """A hypervisor and its store; each is opened when it is first needed."""

    _hyper: Hypervisor | None = None
    _store: Store | None = None

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

    def reconnect(self) -> None:
        """Gives up the store's connection, which was lost; the next use makes a new one."""
        if self._store is not None:
            self._store.close()
            self._store = None

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


def open_host() -> Host:
    """The host that this process runs on."""
    return Host()
