from __future__ import annotations

from tests.support.fakestore import FakeStore
from xenbus import wire
from xenbus.client import Store
from xenbus.link import Link
from xenbus.perm import Perm
from xenbus.server.engine import Engine
from xenbus.server.port import EnginePort
from xenbus.usage import Usage, limits, numbers, own_limits, usage

QUOTA = "Quota settings:\nnodes            :     1000 Nodes per domain\nwatches : 128 x\nodd : -5\n"
OF_ZERO = "Domain 0:\nnodes           :       54\nwatches         :        2\nmemory : 8327\n"


def test_numbers() -> None:
    assert numbers(QUOTA) == {"nodes": 1000, "watches": 128}
    assert numbers("") == {}


def test_as_the_server_counts(store: Store, fake: FakeStore) -> None:
    def answer(packet: wire.Packet) -> bytes:
        text = (
            OF_ZERO
            if packet[3].startswith(b"quota\x000")
            else OF_ZERO.replace("54", "7")
            if b"5" in packet[3]
            else QUOTA
        )
        return wire.pack(packet[0], packet[1], 0, text.encode() + b"\0")

    fake.put("/local/domain/0/name", "Domain-0")
    fake.put("/local/domain/5")
    fake.put("/local/domain/junk")
    for number in range(1, 12):
        fake.inject(number, lambda packet: answer(packet))
    for number in (1, 5, 6):
        fake._injected.pop(number)  # the list of domains, their names
    assert usage(store) == [Usage(0, "Domain-0", 54, 2, None, None, 8327), Usage(5, None, 7, 2, None, None, 8327)]
    assert limits(store) == {"nodes": 1000, "watches": 128}


def test_counted_where_the_server_does_not_tell(store: Store, fake: FakeStore) -> None:
    fake.put("/local/domain/5/name", "guest")
    store.set_perms("/local/domain/5/name", [Perm(5)])
    assert usage(store) == [Usage(0, None, 4), Usage(5, "guest", 1)]
    fake.inject(fake.count + 2, "EACCES")
    assert usage(store) == [Usage(0, None, 4), Usage(5, "guest", 1)]
    fake.inject(fake.count + 1, "EINVAL")
    assert limits(store) == {}


def test_quotas_of_a_domains_own() -> None:
    engine = Engine(exists=lambda domid: domid in (5, 6))
    with Store(Link(EnginePort(engine.connect()))) as store:
        assert own_limits(store, [0, 5, 6]) == {}
        domain = engine.domains.find(5)
        assert domain is not None
        domain.quotas.set(b"nodes", 50)
        domain.quotas.set(b"watches", 0)
        assert own_limits(store, [0, 5, 6]) == {5: {"nodes": 50, "watches": 0}}
        assert own_limits(store, [0]) == {}


def test_a_server_that_has_no_quotas_of_a_domains_own(store: Store, fake: FakeStore) -> None:
    fake.inject(fake.count + 1, lambda packet: wire.pack(packet[0], packet[1], 0, QUOTA.encode() + b"\0"))
    fake.inject(fake.count + 2, "ENOSYS")
    assert own_limits(store, [0, 5]) == {}
