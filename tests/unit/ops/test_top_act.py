"""What keys do, and to whom."""

from __future__ import annotations

import pytest

from xenvm.errors import DomainError, NoSuchDomain
from xenvm.ops import top_act
from xenvm.ops.records import belongings
from xenvm.testing.host import XenHost


def test_pause_and_unpause(xen_host: XenHost) -> None:
    guest = xen_host.create()
    key = guest.domid, guest.info.uuid
    top_act.pause(xen_host.host, key)
    assert guest.info.paused
    with pytest.raises(DomainError, match="paused already"):
        top_act.pause(xen_host.host, key)
    top_act.unpause(xen_host.host, key)
    assert not guest.info.paused


def test_shut_down_and_destroy(xen_host: XenHost) -> None:
    guest = xen_host.create()
    key = guest.domid, guest.info.uuid
    top_act.shut_down(xen_host.host, key, 5.0)
    xen_host.wait(lambda: guest.info.shutdown)
    assert guest.down == "poweroff"
    assert top_act.destroy(xen_host.host, key) == []
    assert not guest.exists


def test_detach(xen_host: XenHost) -> None:
    guest = xen_host.create(disks=2)
    device = belongings(xen_host.host, guest.domid).devices[0]
    top_act.detach(xen_host.host, (guest.domid, guest.info.uuid), device, 5.0)
    assert device.devid not in [kept.devid for kept in belongings(xen_host.host, guest.domid).devices]


def test_only_the_domain_that_was_shown(xen_host: XenHost) -> None:
    guest = xen_host.create()
    for act in (top_act.pause, top_act.unpause, top_act.destroy):
        with pytest.raises(NoSuchDomain):
            act(xen_host.host, (guest.domid, "another uuid"))
    with pytest.raises(DomainError, match="this host"):
        top_act.destroy(xen_host.host, (0, "00000000-0000-0000-0000-000000000000"))
    assert guest.exists
    assert not guest.info.paused
