"""Takes a closed back end apart, whoever put it together: loop devices, and scripts that were run.

What only some guests need is imported only for them: start-up is most of what a short command costs.
"""

from __future__ import annotations

from xenvm.guest.nodes import BLOCK_SCRIPT, VIF_SCRIPT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenvm.host.open import Host
    from xenvm.ops.records import Record


def unplumb(host: Host, record: Record) -> None:
    """Frees the loop device, or runs the script of a device that has one; DeviceError.

    What another domain serves, that domain takes apart.
    """
    if not record.backend_domid and record.back_kind in ("vbd", "vif"):
        take_apart(host, record)


def take_apart(host: Host, record: Record) -> None:
    """The same for a vbd or a vif that this very domain serves, whichever it is."""
    script = record.facts.get("script", "")
    if record.kind == "vbd" and script in ("", BLOCK_SCRIPT):
        _free_loop_device(host, record)
    elif record.kind == "vbd" or script not in ("", VIF_SCRIPT) or _vif_script_was_run(host, record):
        _run_script(host, record, script)
    # Else netback has removed the interface, and with it the bridge's port.


def _free_loop_device(host: Host, record: Record) -> None:
    if record.node:
        host.plumbing.block.detach(record.node, record.facts.get("params", ""))


def _vif_script_was_run(host: Host, record: Record) -> bool:
    facts, needs_script = record.facts, host.plumbing.vifscript.needs_script
    return bool(facts.get("script")) and (
        "vlan" in facts or needs_script(facts.get("bridge", ""), facts.get("ip")) is not None
    )


def _run_script(host: Host, record: Record, script: str) -> None:
    scripts = host.plumbing.scripts
    gateway = record.facts.get("gatewaydev", "")
    task = scripts.HotplugDevice(record.name, script, record.back_kind, record.domid, record.devid, gateway)
    scripts.detach(task, error_reader(host, record.backend))


def error_reader(host: Host, back_end: str) -> Callable[[], str | None]:
    """Reads what a failed script said, from its back end's ``hotplug-error``."""

    def read() -> str | None:
        value = host.store.read_or_none(f"{back_end}/hotplug-error")
        return None if value is None else value.decode("utf-8", "replace")

    return read
