"""The host's ends of channels: a pseudo-terminal, or a socket that one client at a time connects to."""

from __future__ import annotations

import os
import select
from stat import S_ISSOCK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class ChannelEnd(Protocol):
        """What both have; nothing blocks."""

        name: str
        """Of the terminal; empty where there is none."""

        def read(self) -> bytes:
            """What somebody has typed."""

        def write(self, data: bytes) -> int:
            """How many bytes could be written."""

        def descriptors(self, wanted: int) -> dict[int, int]:
            """What to wait for, for the events `wanted` of it."""

        def close(self) -> None:
            """The end of it."""


_READ_SIZE = 1024


class Pty:
    """A terminal without echo or line editing: the guest's own has them."""

    def __init__(self) -> None:
        import tty

        self._master, self._slave = os.openpty()  # the slave stays open: its last close would be an error here
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.name = os.ttyname(self._slave)

    def read(self) -> bytes:
        """See ChannelEnd."""
        try:
            return os.read(self._master, _READ_SIZE)
        except BlockingIOError:
            return b""

    def write(self, data: bytes) -> int:
        """See ChannelEnd."""
        try:
            return os.write(self._master, data)
        except BlockingIOError:
            return 0

    def descriptors(self, wanted: int) -> dict[int, int]:
        """See ChannelEnd."""
        return {self._master: wanted}

    def close(self) -> None:
        """See ChannelEnd."""
        os.close(self._master)
        os.close(self._slave)


class Socket:
    """A listening socket, for its owner alone. What the guest says while nobody is connected is not kept."""

    name = ""

    def __init__(self, path: str) -> None:
        import socket

        self._path = path
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        if _is_stale(path):
            os.unlink(path)
        before = os.umask(0o177)
        try:
            self._listener.bind(path)
        except OSError:
            self._listener.close()
            raise
        finally:
            os.umask(before)
        self._listener.listen(1)
        self._listener.setblocking(False)
        self._client = -1

    def read(self) -> bytes:
        """See ChannelEnd."""
        self._accept()
        if self._client < 0:
            return b""
        try:
            data = os.read(self._client, _READ_SIZE)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self._leave()
        return data

    def write(self, data: bytes) -> int:
        """See ChannelEnd."""
        self._accept()
        if self._client < 0:
            return len(data)
        try:
            return os.write(self._client, data)
        except BlockingIOError:
            return 0
        except OSError:
            self._leave()
            return len(data)

    def _accept(self) -> None:
        if self._client < 0:
            try:
                client, _address = self._listener.accept()
            except BlockingIOError:
                return
            client.setblocking(False)
            self._client = client.detach()

    def _leave(self) -> None:
        os.close(self._client)
        self._client = -1

    def descriptors(self, wanted: int) -> dict[int, int]:
        """See ChannelEnd. A second client waits until the first has gone."""
        return {self._listener.fileno(): select.POLLIN} if self._client < 0 else {self._client: wanted}

    def close(self) -> None:
        """See ChannelEnd."""
        if self._client >= 0:
            self._leave()
        self._listener.close()
        try:
            os.unlink(self._path)
        except FileNotFoundError:
            pass


def _is_stale(path: str) -> bool:
    """Whether a socket is there that nobody listens to: a process that was killed has left it."""
    import socket

    try:
        if not S_ISSOCK(os.lstat(path).st_mode):
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.connect(path)
    except ConnectionRefusedError:
        return True
    except OSError:
        pass
    return False
