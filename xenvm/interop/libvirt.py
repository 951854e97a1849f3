"""Guests of a libvirt connection: the only module that imports libvirt-python, of the extra ``xenvm[libvirt]``."""

from __future__ import annotations

from xenbus.value import Value
from xenvm.errors import DomainError, DomainExists, HostError, NoSuchDomain, UnsupportedError, WaitTimeout
from xenvm.host.hyper import DomainInfo
from xenvm.types import Domid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Call = Callable[..., Any]

_NO_DOMID = -1
_WAIT_SECONDS = 3600.0
_EVENTS = ("defined", "undefined", "started", "suspended", "resumed", "stopped", "shutdown", "pmsuspended", "crashed")
"""Words for libvirt's lifecycle events, by their numbers."""


class Event(Value):
    """Something that happened to a guest."""

    name: str
    uuid: str
    domid: int
    """-1 for a guest that does not run."""
    what: str


class LibvirtHost:
    """One connection. Every method raises the errors of xenvm, in libvirt's words where it is libvirt that refuses."""

    def __init__(self, uri: str) -> None:
        self._libvirt = _library()
        self.uri = uri
        self._connection = self._do(self._libvirt.open, uri)

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()

    def __enter__(self) -> LibvirtHost:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def domains(self) -> list[tuple[str, DomainInfo]]:
        """Name and state of all domains that run, by domid."""
        running = self._libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE
        found = [(domain.name(), self._info(domain)) for domain in self._do(self._connection.listAllDomains, running)]
        return sorted(found, key=lambda pair: pair[1].domid)

    def find(self, who: str) -> tuple[str, DomainInfo]:
        """Name and state of one domain, by name or domid, running or not."""
        domain = self._find(who)
        return domain.name(), self._info(domain)

    def create(self, xml: str, paused: bool = False) -> int:
        """Starts a guest that libvirt forgets when it goes down; its domid. DomainExists, HostError."""
        flags = self._libvirt.VIR_DOMAIN_START_PAUSED if paused else 0
        domain = self._do(self._connection.createXML, xml, flags)
        return int(domain.ID())

    def start(self, who: str) -> None:
        """Starts a guest that libvirt has a definition of."""
        self._do(self._find(who).create)

    def pause(self, who: str) -> None:
        """Stops the vCPUs."""
        self._do(self._find(who).suspend)

    def unpause(self, who: str) -> None:
        """Lets the vCPUs run."""
        self._do(self._find(who).resume)

    def shutdown(self, who: str) -> None:
        """Asks the guest to power off."""
        self._do(self._find(who).shutdown)

    def reboot(self, who: str) -> None:
        """Asks the guest to reboot."""
        self._do(self._find(who).reboot)

    def destroy(self, who: str) -> None:
        """Ends the guest at once."""
        self._do(self._find(who).destroy)

    def xml(self, who: str) -> str:
        """The guest's domain XML, as it runs."""
        return str(self._do(self._find(who).XMLDesc))

    def console(self, who: str) -> str:
        """The path of the terminal of the guest's first console, on the machine where libvirtd runs. DomainError."""
        from xml.etree import ElementTree

        root = ElementTree.fromstring(self.xml(who))
        for console in root.findall("devices/console"):
            source = console.find("source")
            path = console.get("tty") or ("" if source is None else source.get("path", ""))
            if path:
                return path
        raise DomainError(f"{who} has no console with a terminal")

    def facts(self) -> dict[str, str]:
        """What `info` shows."""
        _, mib, cpus, mhz, nodes, _, cores, threads = self._do(self._connection.getInfo)
        return {
            "host": self._do(self._connection.getHostname),
            "libvirt_uri": self._do(self._connection.getURI),
            "libvirt_driver": self._do(self._connection.getType),
            "libvirt_version": _version(self._do(self._connection.getLibVersion)),
            "hypervisor_version": _version(self._do(self._connection.getVersion)),
            "nr_cpus": str(cpus),
            "nr_nodes": str(nodes),
            "cores_per_socket": str(cores),
            "threads_per_core": str(threads),
            "cpu_mhz": f"{mhz}.000",
            "total_memory": str(mib),
        }

    def wait_down(self, who: list[str]) -> None:
        """Waits until each has gone down. WaitTimeout after an hour."""
        import time

        deadline = time.monotonic() + _WAIT_SECONDS
        with Events(self) as events:
            while any(self._runs(name) for name in who):
                if time.monotonic() > deadline:
                    raise WaitTimeout(f"{', '.join(who)} did not go down")
                events.wait()

    def _runs(self, who: str) -> bool:
        try:
            return bool(self._find(who).isActive())
        except NoSuchDomain:
            return False

    def _info(self, domain: Any) -> DomainInfo:
        lv = self._libvirt
        state, most, memory, vcpus, cpu_time = self._do(domain.info)
        domid = domain.ID()
        down = state in (lv.VIR_DOMAIN_SHUTOFF, lv.VIR_DOMAIN_CRASHED)
        return DomainInfo(
            domid=Domid(domid if domid >= 0 else _NO_DOMID),
            uuid=domain.UUIDString(),
            running=state == lv.VIR_DOMAIN_RUNNING,
            blocked=state == lv.VIR_DOMAIN_BLOCKED,
            paused=state in (lv.VIR_DOMAIN_PAUSED, lv.VIR_DOMAIN_PMSUSPENDED),
            shutdown=down,
            shutdown_code=(3 if state == lv.VIR_DOMAIN_CRASHED else 0) if down else None,
            tot_pages=memory // 4,
            max_pages=most // 4,
            cpu_time=cpu_time,
            nr_online_vcpus=vcpus,
            max_vcpu_id=vcpus - 1,
        )

    def _find(self, who: str) -> Any:
        by_number = who.isascii() and who.isdecimal() and len(who) < 10
        look = self._connection.lookupByID if by_number else self._connection.lookupByName
        try:
            return self._do(look, int(who) if by_number else who)
        except NoSuchDomain:
            raise NoSuchDomain(who) from None

    def _do(self, call: Call, *arguments: object) -> Any:
        try:
            return call(*arguments)
        except self._libvirt.libvirtError as error:
            raise self._translated(error) from error

    def _translated(self, error: Any) -> Exception:
        lv, code, text = self._libvirt, error.get_error_code(), error.get_error_message() or str(error)
        if code == lv.VIR_ERR_NO_DOMAIN:
            return NoSuchDomain(text)
        if code == lv.VIR_ERR_DOM_EXIST or (code == lv.VIR_ERR_OPERATION_FAILED and "already exists" in text):
            return DomainExists(f"libvirt: {text}")
        if code in (lv.VIR_ERR_NO_SUPPORT, lv.VIR_ERR_CONFIG_UNSUPPORTED, lv.VIR_ERR_ARGUMENT_UNSUPPORTED):
            return UnsupportedError(f"libvirt: {text}")
        if code == lv.VIR_ERR_OPERATION_INVALID:
            return DomainError(f"libvirt: {text}")
        return HostError(f"libvirt: {text}")


class Events:
    """What happens to the guests of a connection from now on. A context manager."""

    def __init__(self, host: LibvirtHost) -> None:
        self._lv, self._connection = host._libvirt, host._connection
        self._waiting: list[Event] = []

    def __enter__(self) -> Events:
        kind = self._lv.VIR_DOMAIN_EVENT_ID_LIFECYCLE
        self._callback = self._connection.domainEventRegisterAny(None, kind, self._happened, None)
        return self

    def __exit__(self, *exc: object) -> None:
        self._connection.domainEventDeregisterAny(self._callback)

    def __iter__(self) -> Iterator[Event]:
        """All events, for ever."""
        while True:
            yield from self.wait()

    def wait(self) -> list[Event]:
        """The next events; none if something else went on in libvirt's loop."""
        while not self._waiting and self._connection.isAlive():
            self._lv.virEventRunDefaultImpl()
            if not self._waiting:
                break
        happened, self._waiting = self._waiting, []
        return happened

    def _happened(self, _connection: Any, domain: Any, event: int, _detail: int, _opaque: object) -> None:
        what = _EVENTS[event] if event < len(_EVENTS) else f"event {event}"
        self._waiting.append(Event(domain.name(), domain.UUIDString(), domain.ID(), what))


def _library() -> Any:
    """libvirt-python with its event loop, and without its habit of printing errors."""
    try:
        import libvirt
    except ModuleNotFoundError:
        raise HostError("libvirt-python is not installed: it comes with the extra xenvm[libvirt]") from None
    libvirt.virEventRegisterDefaultImpl()
    libvirt.registerErrorHandler(lambda *_: None, None)
    return libvirt


def _version(number: int) -> str:
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"
