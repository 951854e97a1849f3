"""One real Xen host for each Debian suite, booted once and shared by all lab tests.

QEMU's emulation of a host that emulates is not without faults (docs/lab.md, Traps): a test that fails is run once more,
and what it said the first time, with the state of dom0, is printed at the end all the same.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest

from tests.lab.dom0 import Dom0

SUITES = os.environ.get("XENVM_LAB_SUITES", "bookworm trixie").split()


@pytest.fixture(scope="session", params=SUITES)
def dom0(request: pytest.FixtureRequest) -> Iterator[Dom0]:
    """The dom0 of a booted lab; every test leaves it without guests."""
    with booted(request.param) as host:
        yield host


@contextmanager
def booted(suite: str, xen_args: str = "") -> Iterator[Dom0]:
    """A lab for some tests alone, or the one that is up already while a test is being written."""
    if not os.environ.get("XENVM_LAB"):
        pytest.skip("the lab tier boots real Xen hosts, which takes minutes: set XENVM_LAB=1, or use `make test`")
    from xenvm import lab

    if name := os.environ.get("XENVM_LAB_NAME"):
        host = lab.find(name)
        if host.suite != suite:
            pytest.skip(f"the lab {name} is of {host.suite}")
        yield Dom0(host)
        return
    name = f"test-{suite}-{os.getpid()}{'-' if xen_args else ''}{xen_args.replace('=', '-')}"
    with lab.up(name, suite, lab.Options(memory=8192, xen_args=xen_args)) as host:
        yield Dom0(host)


_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remembers that a test has failed, for the fixtures that it leaves, and what its dom0 looked like."""
    report = yield
    if report.when == "setup":
        item.stash[_FAILED] = False  # of an earlier run
    if report.failed:
        item.stash[_FAILED] = True
        for host in getattr(item, "funcargs", {}).values():
            if isinstance(host, Dom0) and report.when == "call":
                report.sections.append(("dom0", host.look()))
                break
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was said by the tests that had to be run again."""
    for report in terminalreporter.stats.get("rerun", ()):
        terminalreporter.section(f"first run of {report.nodeid}")
        terminalreporter.line(report.longreprtext)
        for title, text in report.sections:
            terminalreporter.section(title, sep="-")
            terminalreporter.line(text)


@pytest.fixture
def clean(dom0: Dom0, request: pytest.FixtureRequest) -> Iterator[Dom0]:
    """The same, and a proof that the test left nothing behind: no domain, node, loop device or vif.

    Of a test that has failed nothing is asked: what it leaves only hides what it says.
    """
    before = dom0.traces()
    try:
        yield dom0
        assert request.node.stash.get(_FAILED, False) or dom0.settled(before) == before
    finally:
        dom0.destroy_all()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks everything here, and gives it the time that an emulated host may need."""
    for item in items:
        if "tests/lab" in item.path.as_posix():
            item.add_marker(pytest.mark.lab)
            item.add_marker(pytest.mark.timeout(1200))
            item.add_marker(pytest.mark.flaky(reruns=1))
