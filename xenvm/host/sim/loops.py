"""Loop devices of a simulated host: numbers, files, and which file is behind which of them."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_MAJOR = 7
_NODE = "/dev/simloop"
"""How they are called: never as one of this machine."""


class Loops(dict[str, tuple[str, bool]]):
    """Loop device -> its file, and whether it is read-only. Neither a new one nor a look by file costs more because
    there are many."""

    def __init__(self) -> None:
        super().__init__()
        self._of: dict[str, dict[str, None]] = {}
        self._lowest = 0
        """No number below is free."""

    def attach(self, path: str, readonly: bool) -> str:
        """A new device for a file; the lowest free one."""
        while f"{_NODE}{self._lowest}" in self:
            self._lowest += 1
        node = f"{_NODE}{self._lowest}"
        self._put(node, path, readonly)
        return node

    def detach(self, node: str) -> None:
        """Frees a device, if it is there."""
        path, _ = self.pop(node, ("", False))
        if path:
            del self._of[path][node]
            if not self._of[path]:
                del self._of[path]
            self._lowest = min(self._lowest, int(node.removeprefix(_NODE)))

    def of(self, path: str) -> dict[int, str]:
        """The devices of a file: number and node."""
        return {number(node): node for node in self._of.get(path, ())}

    def restore(self, devices: Iterable[tuple[str, str, bool]]) -> None:
        """(device, file, whether it is read-only) of each that there was."""
        for node, path, readonly in devices:
            self._put(node, path, readonly)

    def _put(self, node: str, path: str, readonly: bool) -> None:
        self[node] = path, readonly
        self._of.setdefault(path, {})[node] = None


def number(node: str) -> int:
    """A device's number."""
    return os.makedev(_MAJOR, int(node.removeprefix(_NODE)))
