"""What lab tests do in dom0: commands, guests, waiting for their consoles, and looking for what was left behind."""

from __future__ import annotations

import json
import re
import shlex
import time
from typing import Any

from xenvm.lab import Lab, LabError, Result

KERNEL, RAMDISK = "/srv/guest/Image", "/srv/guest/initrd.gz"
KERNEL32, RAMDISK32 = "/srv/guest/zImage-32", "/srv/guest/initrd-32.gz"

# Waits for a line in a growing file without polling it: tail is told of changes by inotify.
_WAIT = """
coproc T { exec tail -n +1 -F "$1" 2>/dev/null; }
grep -a -m 1 -E "$2" <&"${T[0]}"; rc=$?
kill "$T_PID"; exit $rc
"""

# Looks again whenever the store says that a domain has changed.
_GONE = """
coproc W { exec xenstore-watch @releaseDomain; }
until ! xl domid "$1" >/dev/null 2>&1; do read -r _ <&"${W[0]}"; done
kill "$W_PID"
"""

# Types a command until the client shows its answer (xenconsole drops what was typed before it was ready), and leaves by
# the escape character; on a terminal, because xenconsole takes no input from anything else. xenconsoled's log has the
# answer a little earlier than the client.
TYPE_AND_LEAVE = """
mark=$1; shift 1; shown=$(mktemp)
{
    coproc ANSWER { grep -a -m 1 "^$mark" < <(exec tail -n +1 -F "$shown" 2>/dev/null); }
    until read -r -t 3 line <&"${ANSWER[0]}"; do printf '\\necho %s""%s\\n' "${mark:0:3}" "${mark:3}"; done
    printf '\\x1d'
} | python3 -c 'import pty, sys; pty.spawn(sys.argv[1:])' "$@" | tee "$shown"
rm -f "$shown"
"""

# What one looks at first when a guest does not do what it should.
_LOOK = """
xl list
xl vcpu-list | grep -v ^Domain-0
xenstore-ls -f /local/domain | grep -E '^/local/domain/([1-9]|0/backend/)' |
    grep -E '/(name|control/[a-z]*|state|online|hotplug-status) = '
ps -eo pid,ppid,stat,etimes,wchan:20,args | grep -E '[x]envm|[x]l |[x]enstored|[x]enconsoled' | grep -v 'bash -c'
for log in $(ls -t /var/log/xen/console/guest-*.log | head -n 2); do echo "$log:"; tail -n 12 "$log"; done
dmesg | tail -n 5
xl dmesg | tail -n 5
"""

_TRACES = """
set -e; shopt -s nullglob
xl list
echo ==; xenstore-ls -f / || : a guest may change it meanwhile
echo ==; losetup -a
echo ==; cd /sys/class/net; printf '%s\\n' vif*
echo ==; cd /sys/bus/xen-backend/devices; printf '%s\\n' *
echo ==; cd /var/lib/xen; printf '%s\\n' *
"""
"""One command for all: every test asks it twice at least."""


class Dom0:
    """The control domain of one lab."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.suite = lab.suite

    def run(self, command: list[str] | str, *, timeout: float = 300.0, stdin: bytes | None = None) -> Result:
        return self.lab.run(command, timeout=timeout, stdin=stdin)

    def ok(self, command: list[str] | str, *, timeout: float = 300.0, stdin: bytes | None = None) -> str:
        """Standard output of a command that must succeed."""
        result = self.run(command, timeout=timeout, stdin=stdin)
        assert result.rc == 0, f"{command}: exit {result.rc}\n{result.stdout}\n{result.stderr}"
        return result.stdout

    def xenvm(self, *words: str, timeout: float = 300.0) -> str:
        return self.ok(["xenvm", *words], timeout=timeout)

    def xl(self, *words: str, timeout: float = 300.0) -> str:
        return self.ok(["xl", *words], timeout=timeout)

    def fails(self, *words: str, code: int | None = None) -> str:
        """Standard error of an xenvm command that must fail, with exit code `code` if that is given."""
        result = self.run(["xenvm", *words])
        assert result.rc > 0, f"{words} did not fail\n{result.stdout}\n{result.stderr}"
        assert code is None or result.rc == code, f"{words}: exit {result.rc}, not {code}\n{result.stderr}"
        assert "Traceback" not in result.stderr
        return result.stderr

    def config(self, name: str, **settings: Any) -> str:
        """Writes a configuration; its path in dom0. Lists and text become xl.cfg literals."""
        values: dict[str, Any] = {
            "name": name,
            "kernel": KERNEL,
            "ramdisk": RAMDISK,
            "cmdline": "console=hvc0",
            "memory": 256,
            "vcpus": 1,
            **settings,
        }
        path = f"/root/{name}.cfg"
        self.lab.write(
            path, "".join(f"{key} = {literal(value)}\n" for key, value in values.items() if value is not None)
        )
        return path

    def disk(self, name: str, mib: int = 8) -> str:
        """A sparse disk image; its path."""
        path = f"/srv/disks/{name}.img"
        self.ok(["truncate", "-s", f"{mib}M", path])
        return path

    def console(self, name: str, pattern: str, *, timeout: float = 300.0) -> str:
        """Waits for a line on a guest's console, as xenconsoled logs it, and returns it."""
        return self.log(f"/var/log/xen/console/guest-{name}.log", pattern, timeout=timeout)

    def log(self, path: str, pattern: str, *, timeout: float = 300.0) -> str:
        """Waits for a line in a file and returns it."""
        result = self.run(["bash", "-c", _WAIT, "wait", path, pattern], timeout=timeout)
        assert result.rc == 0, f"no {pattern!r} in {path}:\n{self.run(['tail', '-n', '40', path]).stdout}"
        return result.stdout.strip()

    def talk(self, tool: str, name: str, mark: str) -> str:
        """Makes a guest's shell say `mark` over a console client, and gives what the client has shown."""
        return self.ok(["bash", "-c", TYPE_AND_LEAVE, "type", mark, tool, "console", name]).replace("\r", "")

    def gone(self, name: str, *, timeout: float = 120.0) -> None:
        """Waits until no domain has this name any more."""
        result = self.run(["bash", "-c", _GONE, "gone", name], timeout=timeout)
        assert result.rc == 0, self.xl("list")

    def forget_console(self, name: str) -> None:
        """Empties a guest's console log, so that only what comes now is waited for."""
        self.ok(f": > /var/log/xen/console/guest-{shlex.quote(name)}.log")

    def domains(self) -> dict[str, dict[str, Any]]:
        """Our own list, by name."""
        found = json.loads(self.xenvm("list", "--json"))["domains"]
        return {domain["name"]: domain for domain in found}

    def store(self, *paths: str) -> str:
        """Paths, values and permissions below `paths`, as xenstore-ls prints them."""
        return "".join(self.run(["xenstore-ls", "-fp", path]).stdout for path in paths)

    def traces(self) -> dict[str, list[str]]:
        """Everything that a guest could leave behind in this host."""
        parts = self.ok(["bash", "-c", _TRACES]).split("==\n")
        domains, nodes, loops, vifs, backs, userdata = ([line for line in part.splitlines() if line] for part in parts)
        ours = re.compile(r"/(libxl/|vm/|local/domain/[1-9]|local/domain/0/backend/)")
        return {
            "domains": [line.split()[0] for line in domains[1:]],
            "nodes": [line.split(" = ")[0] for line in nodes if ours.match(line)],
            "loops": loops,
            "vifs": vifs,
            "back ends": backs,
            "userdata": [name for name in userdata if not name.startswith("userdata-d.0.")],
        }

    def settled(self, wanted: dict[str, list[str]], *, timeout: float = 60.0) -> dict[str, list[str]]:
        """The traces once they are as wanted, or else the last ones: the kernel forgets devices in its own time."""
        deadline = time.monotonic() + timeout
        while (now := self.traces()) != wanted and time.monotonic() < deadline:
            pass
        return now

    def look(self) -> str:
        """The state of this host in about forty lines, for somebody who asks why a test has failed."""
        try:
            result = self.run(["bash", "-c", _LOOK], timeout=60)
        except LabError as error:
            return str(error)
        return result.stdout + result.stderr

    def destroy_all(self) -> None:
        """Ends all guests by xl, whoever made them."""
        for line in self.xl("list").splitlines()[1:]:
            domid = int(line[40:46])
            if domid:
                self.run(["xl", "destroy", str(domid)])


def literal(value: Any) -> str:
    """A value of xl.cfg."""
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(literal, value)) + "]"
    return str(value) if isinstance(value, int) else '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
