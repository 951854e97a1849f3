"""Grant tables follow Xen's rules."""

from __future__ import annotations

from errno import EINVAL, EIO, ENOSPC

import pytest

from xenvm.errors import HypercallError
from xenvm.host.sim.grants import FIRST_FREE, Grant, GrantTable
from xenvm.types import DOM0, Domid, Gfn


def refused(errno: int, call: object, *arguments: object) -> None:
    with pytest.raises(HypercallError) as caught:
        call(*arguments)  # type: ignore[operator]
    assert caught.value.errno == errno


def test_who_may_map_what() -> None:
    table = GrantTable(Domid(1), 1)
    ref = table.grant(DOM0, Gfn(5), False)
    readonly = table.grant(DOM0, Gfn(6), True)
    assert (ref, readonly) == (FIRST_FREE, FIRST_FREE + 1)
    assert table.map(ref, DOM0, False) == Grant(DOM0, Gfn(5))
    assert table.map(readonly, DOM0, True).readonly
    refused(EIO, table.map, readonly, DOM0, False)
    refused(EIO, table.map, ref, Domid(2), True)
    refused(EIO, table.map, 99, DOM0, True)


def test_a_grant_ends_when_nobody_maps_it() -> None:
    table = GrantTable(Domid(1), 1)
    ref = table.grant(DOM0, Gfn(5), False)
    table.map(ref, DOM0, False)
    table.map(ref, DOM0, True)
    table.unmap(ref)
    assert not table.end(ref)
    table.unmap(ref)
    assert table.end(ref) and ref not in table.entries
    refused(EINVAL, table.unmap, ref)


def test_a_full_table() -> None:
    table = GrantTable(Domid(1), 1)
    refs = [table.grant(DOM0, Gfn(5), False) for _ in range(512 - FIRST_FREE)]
    refused(ENOSPC, table.grant, DOM0, Gfn(5), False)
    table.end(refs[3])
    assert table.grant(DOM0, Gfn(6), False) == refs[3]
