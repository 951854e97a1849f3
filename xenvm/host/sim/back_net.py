"""The network back end of the simulated domain 0: vifs on bridges, as Linux' netback has them (public/io/netif.h)."""

from __future__ import annotations

from xenbus.errors import DeviceFault
from xenbus.parse import parse_mac, parse_text
from xenvm.host.netback import NetBackend
from xenvm.host.sim.back import BackDriver, GuestBackend
from xenvm.host.sim.switch import Switch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from xenbus.client import Store
    from xenbus.devicebus import Bus
    from xenvm.host.back import BackSide


class NetBack(GuestBackend, NetBackend):
    """One vif, with one queue."""

    bridges: dict[str, Switch]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._switch: Switch | None = None

    def offer(self) -> Mapping[str, object]:
        """Refuses what netback refuses."""
        handle, script, mac = self.read("handle", "script", "mac")
        if handle is None or script is None or parse_mac(mac) is None:
            raise DeviceFault(f"{self.path} lacks a handle, a script or a sensible MAC")
        return super().offer()

    def connect(self) -> Mapping[str, object] | None:
        """The rings are connected at once, the state follows when the hotplug script is done."""
        self.map_rings()
        status, bridge = self.read("hotplug-status", "bridge")
        if status != b"connected":
            return None
        self._switch = self.bridges.setdefault(parse_text(bridge) or "xenbr0", Switch())
        self._switch.plug(self.path, self.deliver)
        self.serve()
        return {}

    def release(self) -> None:
        """Unplugs it and unmaps the rings."""
        if self._switch:
            self._switch.unplug(self.path)
            self._switch = None
        super().release()

    def serve(self) -> bool:
        """Nothing moves before it is on its bridge."""
        return self._switch is not None and super().serve()

    def received(self, frame: bytes) -> None:
        """A frame from the guest goes to the bridge."""
        if self._switch:
            self._switch.forward(frame, self.path)


class NetDriver(BackDriver):
    """The driver of all vifs, with the bridges between them."""

    def __init__(self, store: Store, side: BackSide) -> None:
        self.bridges: dict[str, Switch] = {}
        """By name; a bridge comes into being with its first vif."""
        super().__init__("vif", store, side, self._make_vif)

    def _make_vif(self, bus: Bus, path: str) -> NetBack | None:
        vif = NetBack.probe(bus, path)
        if vif is not None:
            vif.bridges = self.bridges
        return vif
