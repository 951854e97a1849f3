"""A plugin for pytest: a fake Xen host, the xenvm command and a real XenStore as fixtures; docs/testing.md tells more.

It needs pytest, which xenvm itself does not. Installing xenvm is enough for pytest to find it; where it is not
installed, ``pytest_plugins = ["xenvm.testing"]`` in a conftest.py does the same.
"""

from __future__ import annotations

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xenvm.testing.commands import Commands
    from xenvm.testing.host import XenHost
    from xenvm.testing.store import StoreServer

_MARKER = (
    "xen(xen='4.20', gic='v3', memory='64G', bridges=[...], behaviour='...', clean=False): what the simulated host of"
    " the fixture xen_host is made of; with clean=True the test fails if it leaves anything behind"
)


def pytest_configure(config: pytest.Config) -> None:
    """Makes the marker known."""
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture
def xen_hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., XenHost]]:
    """Makes simulated hosts: ``xen_hosts(xen="4.17", gic="v2")``, with the words of docs/simulated.md; all end here."""
    from xenvm.testing.host import XenHost

    made: list[XenHost] = []

    def make(**words: object) -> XenHost:
        made.append(XenHost(str(tmp_path_factory.mktemp("xen")), **words))
        return made[-1]

    yield make
    for host in made:
        host.close()


@pytest.fixture
def xen_host(request: pytest.FixtureRequest, xen_hosts: Callable[..., XenHost]) -> Iterator[XenHost]:
    """A simulated host, made of what the markers ``xen`` say, the nearest one first."""
    words: dict[str, object] = {}
    for marker in request.node.iter_markers("xen"):
        words = {**marker.kwargs, **words}
    clean = words.pop("clean", False)
    host = xen_hosts(**words)
    yield host
    if clean and (left := host.left()):
        pytest.fail("the test has left on its host: " + "; ".join(left))


@pytest.fixture
def xenvm(xen_host: XenHost) -> Commands:
    """Runs commands on `xen_host` as a user would: ``xenvm("create", "guest.cfg").check()``."""
    from xenvm.testing.commands import Commands

    return Commands(xen_host)


@pytest.fixture
def xenstore(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[StoreServer]:
    """A XenStore on a socket, where every client in this process and its children finds it ($XENSTORED_PATH)."""
    from xenvm.testing.store import StoreServer

    # The names of temporary folders are too long for a socket's address.
    server = StoreServer()
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    yield server
    server.close()
