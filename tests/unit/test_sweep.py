"""The sweeps of faults: what they try, and that they find a leak."""

from __future__ import annotations

from errno import ENOSPC
from pathlib import Path

import pytest

from tests.support.faults import CLOSE, DIE, DIE_AFTER, HYPERCALL_ERRORS, Died, Faults, every_fault, some_faults
from tests.support.simworld import UUID, SimWorld
from tests.support.sweep import FaultyHost, Operation, Sweep
from xenvm.host.sim.host import SimHost

CALLS = ["hyper.create", "store.READ", "store.WRITE", "store.TRANSACTION_END", "locks.claim", "FileLock.leave"]


@pytest.mark.parametrize("name", CALLS)
def test_a_full_sweep_has_all_of_a_share(name: str) -> None:
    every = set(every_fault((name, 1)))
    share = {fault for number in range(12) for fault in some_faults((name, 1), number)}
    assert {DIE, DIE_AFTER} <= every and every >= share - {ENOSPC}


def test_plausible_errors() -> None:
    assert ENOSPC in HYPERCALL_ERRORS
    assert list(every_fault(("hyper.create", 1))) == [*HYPERCALL_ERRORS, DIE, DIE_AFTER]
    assert list(every_fault(("store.WRITE", 9))) == ["ENOSPC", "EACCES", "EINVAL", "ENOMEM", CLOSE, DIE, DIE_AFTER]


@pytest.mark.parametrize(("fault", "done"), [(DIE, None), (DIE_AFTER, "1")])
def test_death_comes_before_a_call_or_after_it(tmp_path: Path, fault: str, done: str | None) -> None:
    sim = SimWorld(tmp_path)
    host = FaultyHost(sim, Faults(("store.WRITE", 1), fault))
    with pytest.raises(Died):
        host.store.write("/mine", "1")
    with pytest.raises(Died):
        host.hyper.physinfo()
    sim.host.reconnect()
    assert sim.read("/mine") == done


@pytest.mark.parametrize("fault", [DIE, DIE_AFTER])
@pytest.mark.parametrize("call", ["UserData.lock", "FileLock.leave"])
def test_a_lock_ends_with_its_process(tmp_path: Path, call: str, fault: str) -> None:
    sim = SimWorld(tmp_path)

    def lock(faults: Faults) -> None:
        with FaultyHost(sim, faults).plumbing.userdata.UserData(1, UUID).lock(lambda: True):
            pass

    with pytest.raises(Died):
        lock(Faults((call, 1), fault))
    lock(Faults())  # nobody has it any more


@pytest.mark.parametrize("full", [False, True])
def test_a_leak_is_found(tmp_path: Path, full: bool) -> None:
    def act(_sim: SimWorld, host: SimHost) -> None:
        host.store.write("/litter", "1")
        host.store.remove("/litter")

    sweep = Sweep(SimWorld(tmp_path), full)
    sweep.run(Operation("litter", lambda sim: None, act, lambda sim: None))
    (leak,) = sweep.leaks  # the first one ends it
    assert (
        leak.startswith("litter, store.WRITE 1, dies after" if full else "litter, store.RM 1, E") and "/litter" in leak
    )
    with pytest.raises(AssertionError, match="untidy itself leaves something"):
        sweep.run(Operation("untidy", lambda sim: None, lambda _, host: host.store.write("/x", "1"), lambda sim: None))
