"""``make bench``: xenvm against xl in the same dom0, alternated, with medians and their ratios.

Only the ratios mean something: an emulated dom0 is 20 to 40 times slower than real hardware, and shared machines vary.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xenvm import lab

TOP = Path(__file__).resolve().parents[1]
FOLDER = "/opt/xenvm-bench"
LAUNCHER = "/usr/local/bin/xenvm-bench"
PLAIN = "/srv/disks/bench-plain.cfg"
DEVICES = "/srv/disks/bench-devices.cfg"

CONFIG = """name = "bench"
kernel = "/srv/guest/Image"
ramdisk = "/srv/guest/initrd.gz"
memory = 256
"""
DEVICE_LINES = """disk = ["/srv/disks/bench.img,raw,xvda,rw"]
vif = ["bridge=xenbr0"]
"""

# One process in dom0 does all rounds, so that nothing of this machine is in the figures. What follows a creation is
# measured when the guest no longer needs the processor: it is paused, or has come up.
SCRIPT = r"""
TIMEFORMAT=%R
log=/var/log/xen/console/guest-bench.log
timed() { { time "$@" >/dev/null 2>/tmp/bench.err; } 2>&1 || { cat /tmp/bench.err >&2; exit 1; }; }
wait_until_up() { grep -a -q -m 1 "xenvm-guest: ready" < <(exec tail -n +1 -F $log 2>/dev/null); }
for round in $(seq "$1"); do
    for tool in xl xenvm-bench; do
        echo "$tool|create, no devices|$(timed $tool create -q PLAIN)"
        xl pause bench
        echo "$tool|destroy, no devices|$(timed $tool destroy bench)"
        : >$log
        echo "$tool|create, disk and vif|$(timed $tool create -q DEVICES)"
        wait_until_up
        echo "$tool|list|$(timed $tool list)"
        [ $tool = xl ] || echo "python3|list|$(timed python3 -c pass)"
        echo "$tool|destroy, disk and vif|$(timed $tool destroy bench)"
    done
done
"""
TARGETS = {
    "create, no devices": 1.0,
    "create, disk and vif": 0.35,
    "destroy, no devices": None,
    "destroy, disk and vif": 0.5,
    "list": None,
}


def main() -> int:
    """Measures in a lab of each suite that is named."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Compare xenvm with xl in the lab.")
    parser.add_argument("suites", nargs="*", default=["bookworm"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--lab", help="use this lab, which is up")
    options = parser.parse_args()
    for suite in options.suites:
        with machine(options.lab, suite) as host:
            install(host)
            report(host, measure(host, options.rounds), options.rounds)
            show_phases(host)
    return 0


@contextmanager
def machine(name: str | None, suite: str) -> Iterator[lab.Lab]:
    """The lab to measure in: one that is up, or one of its own."""
    if name:
        yield lab.find(name)
        return
    with lab.Bar() as bar:
        host = lab.up(f"bench-{suite}-{os.getpid()}", suite, progress=bar)
    with host:
        yield host


def install(host: lab.Lab) -> None:
    """Puts xenvm onto dom0's own disk, with byte code, as a package would."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for package in ("xenvm", "xenbus"):
            tar.add(TOP / package, package, filter=_sources)
    host.write("/root/bench.tar", archive.getvalue())
    host.write(LAUNCHER, (TOP / "bench/launcher").read_text().replace("FOLDER", FOLDER), mode=0o755)
    host.write(PLAIN, CONFIG)
    host.write(DEVICES, CONFIG + DEVICE_LINES)
    host.run(
        f"rm -rf {FOLDER} && mkdir -p {FOLDER} && cd {FOLDER} && tar xf /root/bench.tar && cp -r /mnt/deps/* . &&"
        " python3 -m compileall -q . ; truncate -s 64M /srv/disks/bench.img; xenvm-bench list",
        check=True,
        timeout=600,
    )


def _sources(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "__pycache__" in member.name or "/lab" in member.name else member


def measure(host: lab.Lab, rounds: int) -> dict[tuple[str, str], list[float]]:
    """Seconds by (tool, case), after a round that only warms up."""
    script = SCRIPT.replace("PLAIN", PLAIN).replace("DEVICES", DEVICES)
    result = host.run(["bash", "-c", script, "bench", str(rounds + 1)], timeout=3600, check=True, on_output=_echo)
    found: dict[tuple[str, str], list[float]] = {}
    for line in result.stdout.splitlines():
        tool, case, seconds = line.split("|")
        found.setdefault((tool, case), []).append(float(seconds))
    return {key: values[1:] for key, values in found.items()}


def _echo(stream: int, data: bytes) -> None:
    sys.stderr.buffer.write(data if stream == 2 else b"." * data.count(b"\n"))
    sys.stderr.flush()


def report(host: lab.Lab, found: dict[tuple[str, str], list[float]], rounds: int) -> None:
    """Prints the table: medians and their ratios."""
    print(f"\n{host.suite}, {rounds} rounds, seconds (median), in an emulated dom0")
    print(f"{'':<24} {'xl':>8} {'xenvm':>8} {'ratio':>7}  target")
    for case, target in TARGETS.items():
        theirs, ours = found["xl", case], found["xenvm-bench", case]
        print(_row(case, theirs, ours, target))
    print(_row("list / python3 -c pass", found["python3", "list"], found["xenvm-bench", "list"], 3.0))


def _row(name: str, theirs: list[float], ours: list[float], target: float | None) -> str:
    ratio = statistics.median(ours) / statistics.median(theirs)
    wanted = "" if target is None else f"<= {target}"
    return f"{name:<24} {statistics.median(theirs):8.2f} {statistics.median(ours):8.2f} {ratio:7.2f}  {wanted}"


def show_phases(host: lab.Lab) -> None:
    """Prints how long each phase of one creation took."""
    result = host.run(f"xenvm-bench create -q --timing {DEVICES}; xenvm-bench destroy bench", check=True)
    print(f"\nphases of one creation with disk and vif\n{result.stderr}")


if __name__ == "__main__":
    sys.exit(main())
