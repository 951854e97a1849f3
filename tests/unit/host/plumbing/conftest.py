from __future__ import annotations

from collections.abc import Iterator

import pytest

from .netns import ip, namespace


@pytest.fixture
def net() -> Iterator[None]:
    """An empty network namespace with the bridge xenbr0 and the interfaces vif3.0 and peer."""
    with namespace():
        ip("link", "add", "xenbr0", "type", "bridge")
        ip("link", "add", "vif3.0", "type", "veth", "peer", "name", "peer")
        yield
