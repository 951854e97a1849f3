"""Back ends in process: loop devices, bridges, and the hotplug scripts for those who want them.

The modules are imported when they are first asked for: `host.plumbing.block` costs nothing to a guest without disks.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from contextlib import AbstractContextManager
    from typing import Any, Protocol

    from xenvm.host.plumbing.block import BlockAttachment, BlockTarget, OtherDisk
    from xenvm.host.plumbing.bridge import BridgePort
    from xenvm.host.plumbing.locks import FileLock, HostLock
    from xenvm.host.plumbing.scripts import HotplugDevice as Task
    from xenvm.host.plumbing.survey import Finding
    from xenvm.host.plumbing.userdata import UserData
    from xenvm.types import Domid

    class Plumbing(Protocol):
        """What a host has besides its hypervisor and its store; this package is the real kind of it."""

        @property
        def block(self) -> Block: ...
        @property
        def health(self) -> Health: ...
        @property
        def survey(self) -> Survey: ...
        @property
        def bridge(self) -> Bridge: ...
        @property
        def scripts(self) -> Scripts: ...
        @property
        def vifscript(self) -> VifScript: ...
        @property
        def locks(self) -> Locks: ...
        @property
        def domids(self) -> Domids: ...
        @property
        def userdata(self) -> UserDatas: ...
        @property
        def console(self) -> Console: ...

    class Block(Protocol):
        """Disks, as in block.py."""

        def lock(self) -> FileLock: ...
        def resolve(self, target: str, mode: str) -> BlockTarget: ...
        def may_be_shared(self, target: BlockTarget) -> bool: ...
        def check_sharing(self, target: BlockTarget, mode: str, *, vm: str, others: Iterable[OtherDisk]) -> None: ...
        def attach(
            self, target: BlockTarget, mode: str, *, vm: str, others: Iterable[OtherDisk]
        ) -> BlockAttachment: ...
        def detach(self, node: str, path: str) -> None: ...

    class Survey(Protocol):
        """What the machine has, as in survey.py."""

        def survey(self) -> Iterable[Finding]: ...
        def tool_releases(self) -> list[str]: ...

    class Health(Protocol):
        """What is wrong with the host's parts, as in health.py."""

        def driver(self, kind: str) -> str: ...
        def daemon(self, program: str) -> bool | None: ...
        def terminal(self, path: str) -> bool: ...
        def disk(self, target: str, mode: str, node: str) -> str: ...
        def bridge(self, name: str) -> str: ...
        def link(self, interface: str, bridge: str) -> str: ...

    class Links(Protocol):
        """Waits for interfaces, as LinkWatch does."""

        def wait(self, names: Iterable[str], deadline: float) -> None: ...

    class Bridge(Protocol):
        """Bridges, as in bridge.py."""

        def LinkWatch(self) -> AbstractContextManager[Links]: ...
        def find_bridge(self, name: str, device: str) -> str: ...
        def add(
            self, interface: str, bridge: str, *, device: str, mtu: int | None = None, vifname: str | None = None
        ) -> BridgePort: ...

    class Scripts(Protocol):
        """Hotplug scripts, as in scripts.py."""

        HotplugDevice: type[Task]

        def is_program(self, path: str) -> bool: ...
        def attach(self, device: Task, read_error: Any) -> None: ...
        def detach(self, device: Task, read_error: Any) -> None: ...

    class VifScript(Protocol):
        """When a vif needs its script, as in vifscript.py."""

        def needs_script(self, bridge: str, ip: str | None) -> str | None: ...

    class Locks(Protocol):
        """Locks of the host, as in locks.py."""

        def host_lock(self) -> HostLock: ...

    class Domids(Protocol):
        """The history of domids, as in domids.py."""

        def recent(self) -> frozenset[Domid]: ...
        def remember(self, domid: Domid) -> None: ...

    class UserDatas(Protocol):
        """Files of domains, as in userdata.py."""

        def UserData(self, domid: Domid, uuid: str) -> UserData: ...

    class Console(Protocol):
        """The console client, as in console.py."""

        def attach(self, tty_path: str, *, domid: Domid, number: int = 0, escape: int = 0x1D) -> str: ...


_MODULES: Sequence[str] = (
    *("block", "bridge", "console", "domids", "health", "locks", "scripts", "survey", "userdata", "vifscript"),
)


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(name)
    __import__(f"{__name__}.{name}")
    return sys.modules[f"{__name__}.{name}"]
