from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from xenvm.errors import HostError
from xenvm.host.plumbing import loop

from .netns import ip, namespace


@pytest.fixture
def net() -> Iterator[None]:
    """An empty network namespace with the bridge xenbr0 and the interfaces vif3.0 and peer."""
    with namespace():
        ip("link", "add", "xenbr0", "type", "bridge")
        ip("link", "add", "vif3.0", "type", "veth", "peer", "name", "peer")
        yield


@pytest.fixture
def loop_device(image: Path) -> Iterator[loop.LoopDevice]:
    """One with the test's image behind it; skips where there are none."""
    try:
        device = loop.attach(str(image), readonly=False)
    except HostError as error:
        pytest.skip(f"no loop devices here: {error}")
    yield device
    loop.detach(device.path, str(image))
