"""Commands while a guest overwrites all that it can: nobody else's nodes change, nothing hangs, nothing stays."""

from __future__ import annotations

import pytest

from xenvm.testing.commands import Commands
from xenvm.testing.guest import Guest
from xenvm.testing.host import XenHost


def outside(host: XenHost, bad: Guest, uuid: str) -> dict[bytes, tuple[bytes, bytes]]:
    """All nodes but those of the hostile guest, its devices and its records."""
    mine = [f"/local/domain/{bad.domid}", f"/libxl/{bad.domid}", f"/vm/{uuid}"]
    mine += [f"/local/domain/0/backend/{kind}/{bad.domid}" for kind in ("vbd", "vif", "console")]
    mine += [f"/local/domain/0/error/backend/{kind}/{bad.domid}" for kind in ("vbd", "vif")]
    prefixes = tuple(f"{path}/".encode() for path in mine)
    records = host.world.xenstored.engine.records()
    return {path: (value, perms) for path, value, perms in records if not (path + b"/").startswith(prefixes)}


COMMANDS = (
    ("list", "-v"),
    ("block-list", "bad"),
    ("network-list", "bad"),
    ("block-attach", "bad", "DISK,raw,xvdc,rw"),
    ("network-attach", "bad", "bridge=xenbr0"),
    ("vcpu-set", "bad", "1"),
    ("mem-set", "bad", "48"),
    ("sysrq", "bad", "h"),
    ("pause", "bad"),
    ("unpause", "bad"),
    ("block-detach", "bad", "xvdc"),
    ("network-detach", "bad", "0"),
    ("rename", "bad", "worse"),
    ("shutdown", "worse"),
)


@pytest.mark.xen(clean=True)
@pytest.mark.parametrize("behaviour", ["hostile", "hostile,ignore-detach", "hostile,ignore-shutdown,slow"])
def test_a_hostile_guest_changes_nothing_of_others(xen_host: XenHost, xenvm: Commands, behaviour: str) -> None:
    good = xen_host.create("good", disks=1, vifs=1)
    bad = xen_host.create("bad", disks=2, vifs=1, vcpus=2, behaviour=behaviour)
    uuid, before = bad.info.uuid, outside(xen_host, bad, bad.info.uuid)
    for words in COMMANDS:
        done = xenvm(*(word.replace("DISK", xen_host.disk("third")) for word in words))
        assert done.code in (0, 3, 5, 9), done
        assert "Traceback" not in done.err
        xen_host.advance(5)
        assert outside(xen_host, bad, uuid) == before, words
        assert good.states() == {"vbd/51712": "4", "vif/0": "4"}
        if not bad.exists or bad.down:
            break
    # A back end whose front end is gone does not close, as in Linux: that is told, and all of it goes.
    # It may have gone by itself before.
    assert xenvm("destroy", str(bad.domid)).code in (0, 3, 9)
    assert good.type("echo still here\n").count("still here") >= 1
    xenvm("destroy", "good").check()
