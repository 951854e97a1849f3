"""A network namespace for a test, with the means to fill it."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

_CLONE_NEWNET = 0x40000000


def ip(*words: str) -> str:
    """Runs ip(8) in the calling thread's namespace; skips the test if this kernel cannot do it."""
    try:
        done = subprocess.run(["ip", *words], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no ip(8) here")
    if done.returncode:
        pytest.skip(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


@contextmanager
def namespace() -> Iterator[None]:
    """Moves the calling thread into an empty network namespace for a while."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if libc.unshare(_CLONE_NEWNET):
            pytest.skip(f"no network namespace: {os.strerror(ctypes.get_errno())}")
        try:
            yield
        finally:
            assert libc.setns(home, _CLONE_NEWNET) == 0
    finally:
        os.close(home)
