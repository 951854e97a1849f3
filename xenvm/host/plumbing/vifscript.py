"""When a vif on a bridge needs the ``vif-bridge`` hotplug script after all: for what is not done in process."""

from __future__ import annotations

import os

_HOOKS = "/etc/xen/scripts/vif-post.d"
_FILTER_ALL = "/proc/sys/net/bridge/bridge-nf-call-iptables"
_FILTER_ONE = "/sys/class/net/{}/bridge/nf_call_iptables"


def needs_script(bridge: str, ip: str | None) -> str | None:
    """Why a vif needs the script after all, or None: its address filter, bridge filtering, or hooks."""
    if ip:
        return "its addresses are restricted by ip="
    if any(_enabled(path) for path in (_FILTER_ALL, _FILTER_ONE.format(bridge))):
        return "iptables filters bridged traffic on this host"
    hook = _hook()
    return hook and f"{hook} is to be run after it"


def _enabled(path: str) -> bool:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip() not in ("", "0")
    except OSError:
        return False


def _hook() -> str | None:
    """An executable hook with something to do; the one that Xen ships has comments only."""
    try:
        names = sorted(name for name in os.listdir(_HOOKS) if name.endswith(".hook"))
    except OSError:
        return None
    for path in (os.path.join(_HOOKS, name) for name in names):
        if os.access(path, os.X_OK):
            with open(path, encoding="utf-8", errors="replace") as file:
                if any(line.strip() and not line.lstrip().startswith("#") for line in file):
                    return path
    return None
