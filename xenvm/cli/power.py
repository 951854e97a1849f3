"""pause, unpause, shutdown, reboot, suspend, resume, destroy, sysrq, trigger, dump-core."""

from __future__ import annotations

import sys

from xenvm.cli.run import DEVICE, FAILED, OK, USAGE, open_host
from xenvm.errors import NoSuchDomain
from xenvm.ops import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.host.hyper import DomainInfo
    from xenvm.host.open import Host


def pause(domain: str) -> None:
    """Pauses one domain."""
    with open_host() as host:
        host.hyper.pause(names.find_guest(host, domain).domid)


def unpause(domain: str) -> None:
    """Lets one domain run."""
    with open_host() as host:
        host.hyper.unpause(names.find_guest(host, domain).domid)


def shutdown(domain: str | None, every: bool, wait: int, fallback: bool) -> int:
    """Asks guests to power off."""
    return _ask("poweroff", "Shutting down", domain, every, wait, fallback)


def reboot(domain: str | None, every: bool, wait: int, fallback: bool) -> int:
    """Asks guests to reboot."""
    return _ask("reboot", "Rebooting", domain, every, wait, fallback)


def _ask(command: str, doing: str, domain: str | None, every: bool, wait: int, fallback: bool) -> int:
    from xenvm.errors import UnsupportedError
    from xenvm.ops import power

    if fallback:
        reason = "Xen has no power button to press for an ARM guest; `xenvm trigger` stops one that does not listen"
        raise UnsupportedError(f"-F: {reason}")
    if (domain is None) != every:
        print("xenvm: give one domain, or -a for all guests", file=sys.stderr)
        return USAGE
    with open_host() as host:
        guests = _running_guests(host) if domain is None else [names.find_guest(host, domain)]
        for guest in guests:
            # The words that scripts around xl look for, on the stream where xl has them.
            print(f"{doing} domain {guest.domid}", file=sys.stderr)
        if wait:
            power.bring_down(host, guests, command, gone=wait > 1)
        else:
            power.request(host, guests, command)
    return OK


def suspend(domain: str) -> None:
    """Asks a guest to suspend, and waits for it."""
    from xenvm.ops import power
    from xenvm.ops.signals import Endings

    with open_host() as host, Endings():
        power.suspend(host, names.find_guest(host, domain))


def resume(domain: str) -> None:
    """Lets a suspended guest go on."""
    from xenvm.ops import power

    with open_host() as host:
        power.resume(host, names.find_guest(host, domain))


def dump_core(domain: str, file: str | None) -> None:
    """Writes a core, to where those of guests that crash lie unless told otherwise."""
    from xenvm.ops import dump
    from xenvm.ops.signals import Endings

    with open_host() as host, Endings():  # or the guest would stay paused
        info = names.find_guest(host, domain)
        name = names.names(host, [info.domid])[info.domid] or "domain"
        path = file or dump.usual_path(name, info.domid)
        pages = dump.dump(host, info, path)
    print(f"xenvm: {pages // 256} MiB of domain {info.domid} are in {path}", file=sys.stderr)


def _running_guests(host: Host) -> list[DomainInfo]:
    return [info for info in host.hyper.domains() if info.domid and not info.shutdown and not info.dying]


def destroy(domain: str, force: bool) -> int:
    """Ends one domain."""
    from xenvm.ops.destroy import end_for_good

    with open_host() as host:
        try:
            info = names.find_guest(host, domain)
        except NoSuchDomain:
            if not _was_to_come_back(host, domain):
                raise
            return OK
        troubles = end_for_good(host, info.domid, info.uuid)
        for trouble in troubles:
            print(f"xenvm: {trouble}", file=sys.stderr)
        if troubles:
            return DEVICE if host.hyper.domain(info.domid) is None else FAILED
    return OK


def _was_to_come_back(host: Host, who: str) -> bool:
    """Whether it is a guest between two of its domains, as a list shows it: it stays away now."""
    if not host.plumbing.watching.notes():
        return False
    from xenvm.ops import restarts

    return restarts.cancel_named(host, who)


def sysrq(domain: str, key: str) -> None:
    """Sends a Magic SysRq key."""
    from xenvm.ops import power

    with open_host() as host:
        power.sysrq(host, names.find_guest(host, domain).domid, key)


def trigger(domain: str, name: str, vcpu: str | None) -> None:
    """Stops a guest by the hypervisor; it is always all of its vCPUs."""
    from xenvm.ops import power

    with open_host() as host:
        power.trigger(host, names.find_guest(host, domain).domid, name)
