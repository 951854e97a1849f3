"""plan, and create -n: what creating a guest would do, and whether it could be done; nothing is touched."""

from __future__ import annotations

from xenbus.value import Value
from xenvm.cli.create import load, with_host_defaults
from xenvm.cli.run import CONFLICT, OK, Answer, explicit_host, open_host, say, usage
from xenvm.errors import ConfigError, HostError, ImageError, XenvmError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.guest.image import Blob, Kernel
    from xenvm.guest.spec import GuestSpec
    from xenvm.ops.create import Options
    from xenvm.ops.plan import Ground, Plan

SECTIONS = ("summary", "memory", "hypercalls", "store", "dom0", "dts")


class Wanted(Value):
    """What to print, and for which host."""

    as_json: bool = False
    only: str = ""
    """Sections, with commas between; all if empty."""
    xen: str = ""
    """A release: the plan is for a host that is not here. The rest is about that host."""
    gic: str = ""
    gpaddr_bits: int = 40
    bits: int = 64
    masks: bool = True
    """Whether the CPU masks of the host's xl.conf count."""


class Verdict(Value):
    """The answer."""

    where: str
    """What host the plan is for, in words."""
    plan: Plan | None
    """None where that host could not even begin."""
    conflict: XenvmError | None
    defaults: tuple[str, ...] = ()
    """What of the guest is said by the host's xl.conf."""

    @property
    def word(self) -> str:
        """valid or conflict."""
        return "valid" if self.conflict is None else "conflict"


def plan(
    config: str,
    settings: tuple[str, ...],
    as_json: bool,
    only: str,
    paused: bool,
    hotplug_scripts: bool,
    xen: str,
    gic: str,
    gpaddr_bits: int,
    bits: int,
) -> int:
    """Prints the plan of a configuration."""
    from xenvm.ops.create import Options

    wanted = Wanted(as_json=as_json, only=only, xen=xen, gic=gic, gpaddr_bits=gpaddr_bits, bits=bits)
    return show(config, settings, Options(paused=paused, hotplug_scripts=hotplug_scripts), wanted)


def show(config: str, settings: tuple[str, ...], options: Options, wanted: Wanted, quiet: bool = True) -> int:
    """Prints the plan of a configuration, whole or in part; the exit code says valid or conflict, an error invalid."""
    chosen = [word for word in wanted.only.split(",") if word] or list(SECTIONS)
    if unknown := next((word for word in chosen if word not in SECTIONS), None):
        return usage(f"{unknown!r} is no part of a plan: there are {', '.join(SECTIONS)}")
    try:
        spec = load(config, settings, quiet)
        spec, defaults = (spec, ()) if wanted.xen else with_host_defaults(spec, masks=wanted.masks)
        verdict = _judge(spec, options, wanted).replace(defaults=defaults)
    except (ConfigError, ImageError) as error:
        if wanted.as_json:
            from xenvm.cli.plan_show import invalid_json

            with Answer():
                _print_json(invalid_json(error))
        raise
    with Answer():
        _print(verdict, chosen, wanted.as_json)
    if verdict.conflict is None:
        return OK
    say(str(verdict.conflict))
    return CONFLICT


def _print(verdict: Verdict, chosen: list[str], as_json: bool) -> None:
    from xenvm.cli import plan_show

    if as_json:
        _print_json(plan_show.as_json(verdict, chosen))
        return
    for line in plan_show.as_text(verdict, chosen):
        print(line.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"))


def _print_json(fields: dict[str, object]) -> None:
    from json import dumps

    print(dumps({"version": 1, **fields}, indent=2))


def _judge(spec: GuestSpec, options: Options, wanted: Wanted) -> Verdict:
    """Asks the host, or goes by what was told of it, and traces the creation."""
    from xenvm.ops.plan import is_invalid, plan

    where, ground, conflict = _told(spec, wanted) if wanted.xen else _asked(spec, options, wanted)
    try:
        return Verdict(where, plan(spec, ground, options, *_images(spec, wanted)), conflict)
    except XenvmError as error:
        if is_invalid(error):
            raise
        return Verdict(where, None, conflict or error)


def _asked(spec: GuestSpec, options: Options, wanted: Wanted) -> tuple[str, Ground, XenvmError | None]:
    from xenvm.ops.plan import conflict, ground_of

    try:
        host = open_host()
    except HostError as error:
        if explicit_host():
            raise
        say(f"nothing was checked against this host: {error}")
        return "a host that is assumed", _told(spec, wanted)[1], None
    with host:
        where = "this host" if host.lasting else "the simulated host"
        return where, ground_of(host, spec), conflict(host, spec, options)


def _told(spec: GuestSpec, wanted: Wanted) -> tuple[str, Ground, None]:
    from xenvm.cli import dtb
    from xenvm.guest.blueprint import HostFacts
    from xenvm.ops.plan import Ground

    release = dtb.told_release(wanted.xen or "4.20")
    facts = HostFacts(release=release, gpaddr_bits=wanted.gpaddr_bits, directio=True)
    return "a host as it was told", Ground(facts, dtb.told_gic(wanted.gic or "v3", spec)), None


def _images(spec: GuestSpec, wanted: Wanted) -> tuple[Kernel | None, Blob | None]:
    """Stand-ins for files that are not on this machine, where the plan is for another."""
    if not wanted.xen:
        return None, None
    from xenvm.cli import dtb
    from xenvm.guest.image import Blob

    size = dtb.told_ramdisk_size(spec)
    return dtb.told_kernel(spec, wanted.bits), None if size is None else Blob(spec.ramdisk or "", size)
