"""What follows the deaths of guests on a host whose time stands still between commands: no process waits there, so
each command sees to them."""

from __future__ import annotations

from xenbus.errors import XenbusError
from xenvm.errors import XenvmError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenvm.host.open import Host

    Say = Callable[[str], None]


def attend(host: Host, say: Say) -> None:
    """Acts once on each guest that is down, as a monitor would that had waited; a successor that is down at once is
    left to the next time."""
    down = [info for info in host.hyper.domains() if info.shutdown and not info.dying]
    if not down:
        return  # and nothing is imported
    from xenvm.ops import memo as memos
    from xenvm.ops.act import act, is_down

    for info in filter(is_down, down):
        try:
            memo = memos.read(host, info.domid, info.uuid)
            if memo is not None and memo.watch == "background":
                act(host, info, memo, say)
        except (XenvmError, XenbusError, OSError) as error:
            for text in (f"domain {info.domid}: {error}", *getattr(error, "__notes__", ())):
                say(text)
