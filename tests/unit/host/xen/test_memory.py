from __future__ import annotations

from errno import EINVAL, EOPNOTSUPP, EPERM, ESRCH
from struct import pack, unpack_from

import pytest

from xenvm.errors import HypercallError
from xenvm.host.xen import foreign, grantcopy
from xenvm.host.xen.calls import DOMCTL, MEMORY_OP
from xenvm.host.xen.hypervisor import XenHypervisor
from xenvm.host.xen.operations import checked

from .fake import FakeCalls, in_turn


class Window:
    def __init__(self, memory: bytearray) -> None:
        self.view = memoryview(memory)

    def __enter__(self) -> Window:
        return self

    def __exit__(self, *exc: object) -> None:
        self.view.release()


class Table:
    def __init__(self, entries: dict[int, bytes]) -> None:
        self.write = entries.update

    def __enter__(self) -> Table:
        return self

    def __exit__(self, *exc: object) -> None:
        pass


class Foreign:
    """Foreign memory that a test looks into."""

    def __init__(self) -> None:
        self.memory = bytearray(4096)
        self.mapped: list[tuple[int, ...]] = []
        self.table: dict[int, bytes] = {}
        self.refusal = 0
        self.closed = False

    def map(self, *where: int) -> Window:
        self.mapped.append(where)
        return Window(self.memory)

    def grant_table(self, domid: int) -> Table:
        checked(self.refusal, "map_resource", domid)
        return Table(self.table)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> Foreign:
    made = Foreign()
    monkeypatch.setattr(foreign, "ForeignMemory", lambda: made)
    return made


def extents(fake: FakeCalls) -> list[tuple[int, ...]]:
    """(count, order, domid, frames...) of the last populate."""
    address, count, order, flags, domid = unpack_from("<QQIIH", fake.sent[-1][2])
    assert flags == 0
    assert fake.sent[-1][2][26:32] == bytes(6)
    return [count, order, domid, *unpack_from(f"<{count}Q", fake.read(address, count * 8))]


def test_populate(hyper: XenHypervisor, fake: FakeCalls) -> None:
    fake.answers[MEMORY_OP, 6] = 3
    assert hyper.populate(5, 0x2_0000_0000, 9, 3) == 3
    assert extents(fake) == [3, 9, 5, 0x2_0000_0000, 0x2_0000_0200, 0x2_0000_0400]


@pytest.mark.parametrize("given", [0, 2])
def test_a_short_count_is_final(hyper: XenHypervisor, fake: FakeCalls, given: int) -> None:
    fake.answers[MEMORY_OP, 6] = given
    assert hyper.populate(5, 0x40000, 0, 3) == given
    assert len(fake.sent) == 1


def test_many_extents_go_in_portions(hyper: XenHypervisor, fake: FakeCalls) -> None:
    fake.answers[MEMORY_OP, 6] = in_turn(4096, 4096, 8)
    assert hyper.populate(5, 0x40000, 1, 8200) == 8200
    assert extents(fake) == [8, 1, 5, *range(0x40000 + 16384, 0x40000 + 16400, 2)]
    fake.answers[MEMORY_OP, 6] = in_turn(4096, 17)
    assert hyper.populate(5, 0x40000, 1, 8200) == 4113


def test_populate_nothing(hyper: XenHypervisor, fake: FakeCalls) -> None:
    assert hyper.populate(5, 0x40000, 0, 0) == 0
    assert fake.sent == []


def test_populate_refused(hyper: XenHypervisor, fake: FakeCalls) -> None:
    fake.answers[MEMORY_OP, 6] = -EPERM
    with pytest.raises(HypercallError, match="populate_physmap for domain 5: EPERM"):
        hyper.populate(5, 0x40000, 0, 1)


def test_cache_flush_in_portions_of_a_gib(hyper: XenHypervisor, fake: FakeCalls) -> None:
    hyper.cache_flush(5, 0x40000, (1 << 19) + 3)
    ranges = [unpack_from("<QQ", message, 0x10) for message in fake.messages(DOMCTL, 71)]
    assert ranges == [(0x40000, 1 << 18), (0x80000, 1 << 18), (0xC0000, 3)]


def test_allow_iomem(hyper: XenHypervisor, fake: FakeCalls) -> None:
    hyper.allow_iomem(5, 0x1_0000_9000, 7)
    (message,) = fake.messages(DOMCTL, 20)
    assert message[8:40] == pack("<H6xQQB7x", 5, 0x1_0000_9000, 7, 1)


def test_map_iomem_continues_where_xen_stopped(hyper: XenHypervisor, fake: FakeCalls) -> None:
    fake.answers[DOMCTL, 39] = in_turn(0, 10, 0)
    hyper.map_iomem(5, 0x22000, 0x9000, 100)
    parts = [unpack_from("<QQQII", message, 0x10) for message in fake.messages(DOMCTL, 39)]
    assert parts == [(0x22000, 0x9000, 64, 1, 0), (0x22040, 0x9040, 36, 1, 0), (0x2204A, 0x904A, 26, 1, 0)]


def test_map_iomem_refused(hyper: XenHypervisor, fake: FakeCalls) -> None:
    fake.answers[DOMCTL, 39] = -EPERM
    with pytest.raises(HypercallError, match=r"memory_mapping for domain 5: EPERM .*no access"):
        hyper.map_iomem(5, 0x22000, 0x9000, 1)


def test_map_foreign_opens_the_library_once(hyper: XenHypervisor, window: Foreign) -> None:
    hyper.map_foreign(5, 0x40000, 3)
    hyper.map_foreign(5, 0x40003, 1)
    assert window.mapped == [(5, 0x40000, 3), (5, 0x40003, 1)]
    hyper.close()
    assert window.closed


def test_fill_through_a_window_where_there_are_no_grant_copies(
    hyper: XenHypervisor, window: Foreign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grantcopy, "open_copier", lambda *_: None)
    window.memory[:] = b"x" * 4096
    hyper.fill(5, 0x40000, 3, lambda view: view.__setitem__(slice(None), b"abc"))
    assert window.mapped == [(5, 0x40000, 1)]
    assert window.memory == b"abc".ljust(4096, b"\0")


GRANTS = {0: (0, 0x39000), 1: (3, 0x39001)}
TABLE = {0: pack("<HHI", 1, 0, 0x39000), 1: pack("<HHI", 1, 3, 0x39001)}


def test_seed_grants(hyper: XenHypervisor, fake: FakeCalls, window: Foreign) -> None:
    hyper.seed_grants(5, GRANTS)
    assert window.table == TABLE
    assert fake.sent == []


def test_grants_through_the_physmap_where_resources_are_unknown(
    hyper: XenHypervisor, fake: FakeCalls, window: Foreign
) -> None:
    window.refusal = -EOPNOTSUPP
    hyper.seed_grants(5, GRANTS)
    assert window.memory == (TABLE[0] + TABLE[1]).ljust(4096, b"\0")
    assert window.mapped == [(5, 0x38000, 1)]
    assert [(op, cmd) for op, cmd, _ in fake.sent] == [(MEMORY_OP, 7), (DOMCTL, 71), (MEMORY_OP, 15)]
    assert fake.sent[0][2][:24] == pack("<HHIQQ", 5, 0, 1, 0, 0x38000)
    assert fake.sent[2][2][:16] == pack("<H6xQ", 5, 0x38000)


def test_the_scratch_frame_is_removed_whatever_happens(hyper: XenHypervisor, fake: FakeCalls, window: Foreign) -> None:
    window.refusal = -EOPNOTSUPP
    fake.answers[DOMCTL, 71] = -EINVAL
    with pytest.raises(HypercallError, match="cacheflush"):
        hyper.seed_grants(5, GRANTS)
    assert fake.sent[-1][:2] == (MEMORY_OP, 15)


def test_other_refusals_are_not_worked_around(hyper: XenHypervisor, fake: FakeCalls, window: Foreign) -> None:
    window.refusal = -ESRCH
    with pytest.raises(HypercallError, match="map_resource for domain 5: ESRCH"):
        hyper.seed_grants(5, GRANTS)
    assert fake.sent == []


@pytest.mark.parametrize("entries", [{512: (0, 1)}, {-1: (0, 1)}, {0: (0, 1 << 32)}])
def test_grants_that_do_not_fit(hyper: XenHypervisor, window: Foreign, entries) -> None:
    with pytest.raises(HypercallError, match="does not fit") as caught:
        hyper.seed_grants(5, entries)
    assert caught.value.errno == EINVAL
