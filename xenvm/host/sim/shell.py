"""What answers on a simulated guest's console: a few commands, enough to see that somebody is there."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenvm.host.sim.kernel import Kernel

PROMPT = "sim# "
_LINE_MAX = 256
_HELP = "commands: help, cmdline, echo, lsblk, ip, nproc, free, poweroff, reboot, crash\n"


class Shell:
    """A line editor of one key, backspace, and its commands."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._line = ""

    def feed(self, typed: bytes) -> str:
        """What to print in answer to some keys."""
        return "".join(self._key(key) for key in typed.decode("ascii", "replace"))

    def _key(self, key: str) -> str:
        if key in "\r\n":
            line, self._line = self._line, ""
            return "\n" + self._run(line.strip()) + PROMPT
        if key in "\x7f\b":
            erased, self._line = bool(self._line), self._line[:-1]
            return "\b \b" if erased else ""
        if not key.isprintable() or len(self._line) >= _LINE_MAX:
            return ""
        self._line += key
        return key

    def _run(self, line: str) -> str:
        word, _blank, rest = line.partition(" ")
        kernel = self._kernel
        answers: dict[str, Callable[[], str]] = {
            "": lambda: "",
            "help": lambda: _HELP,
            "cmdline": lambda: f"{kernel.info.bootargs}\n",
            "echo": lambda: f"{rest}\n",
            "lsblk": lambda: "".join(f"{disk.devid} {disk.sectors * 512}\n" for disk in kernel.disks.values()),
            "ip": lambda: "".join(f"eth{nic.devid} {nic.mac}\n" for nic in kernel.nics.values()),
            "nproc": lambda: f"{len(kernel.online)}\n",
            "free": lambda: f"{kernel.pages_owned * 4} KiB\n",
            "poweroff": lambda: kernel.go_down("poweroff"),
            "reboot": lambda: kernel.go_down("reboot"),
            "crash": lambda: kernel.panic("sysrq triggered crash"),
        }
        return answers.get(word, lambda: f"{word}: not found\n")()
