"""The main job in one run: a real Xen-on-ARM host in QEMU, and a Linux guest created in it by xenvm."""

from __future__ import annotations

import sys

from xenvm import lab

SUITE = "bookworm"
NAME = "demo"
CONFIG = "/mnt/xenvm/examples/guest.cfg"
LOG = "/var/log/xen/console/guest-demo.log"


def main() -> int:
    """Boots the lab (or uses the one that is up) and shows a guest from creation to its network."""
    host = start()
    host.run("xenvm list | grep -q '^demo ' && xenvm destroy demo; truncate -s 64M /srv/disks/demo.img")
    show(host, "the configuration", f"grep -v '^#' {CONFIG}")
    host.run(f"rm -f {LOG}")
    show(host, "xenvm create guest.cfg", f"xenvm create --timing {CONFIG} 2>&1")
    show(host, "the guest's boot log", follow("xenvm-guest: ready"))
    show(host, "xenvm list", "xenvm list")
    show(host, "its disk, its address", f"grep -aE 'xenvm-guest: (up|disk|eth0|ping)' {LOG}; ping -c 3 10.0.0.2")
    print(GO_ON)
    return 0


def start() -> lab.Lab:
    """The lab named demo, up."""
    running = [host for host in lab.labs() if host.name == NAME and host.pid is not None]
    if running:
        return running[0]
    with lab.Bar() as bar:
        return lab.up(NAME, SUITE, progress=bar)


def follow(pattern: str) -> str:
    """A script that prints the console log until a line that matches `pattern`."""
    return f"tail -n +1 -F {LOG} 2>/dev/null | sed '/{pattern}/q'"


def show(host: lab.Lab, title: str, script: str) -> None:
    """Runs a script in dom0 under a title."""
    print(f"\n=== {title}", flush=True)
    result = host.run(["bash", "-c", script], timeout=600, on_output=write)
    if result.rc:
        raise SystemExit(f"demo: {title}: exit code {result.rc}")


def write(stream: int, data: bytes) -> None:
    """Passes output on as it comes."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


GO_ON = """
The host is still up. To go on, with $(tools/setup)/bin on your PATH:
  xenvm lab exec -n demo -t xenvm console demo    the guest's console (^] leaves it)
  xenvm lab exec -n demo -t                       a shell in dom0; your working tree is live in it
  xenvm lab down demo                             the end"""

if __name__ == "__main__":
    sys.exit(main())
