"""What a service tells systemd, by the protocol of sd_notify(3): datagrams to the socket in $NOTIFY_SOCKET."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Notifier:
    """Tells who has started this process; nobody, if nobody has asked for it."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._ready = False
        micros = environment.get("WATCHDOG_USEC", "")
        whose = environment.get("WATCHDOG_PID", str(os.getpid()))
        self.seconds = int(micros) / 1e6 if micros.isdecimal() and whose == str(os.getpid()) else 0.0
        """Within which time a pulse is expected; 0: none is."""

    def pulse(self) -> None:
        """All is well; the first time: the service is ready."""
        self._send(b"WATCHDOG=1" if self._ready else b"READY=1\nWATCHDOG=1")
        self._ready = True

    def stopping(self) -> None:
        """The service ends, as it was told to."""
        self._send(b"STOPPING=1")

    def _send(self, text: bytes) -> None:
        if not self._address.startswith(("/", "@")):
            return
        import socket

        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link:
            try:
                link.sendto(text, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL, address)
            except OSError:
                pass  # systemd acts by itself when it hears nothing.
