"""create: a guest from a configuration."""

from __future__ import annotations

from xenvm.cli import run
from xenvm.cli.run import OK, aside, open_host, say, usage
from xenvm.guest.load import load_file
from xenvm.host.open import xl_conf
from xenvm.ops.actions import check_actions
from xenvm.ops.phases import Phases

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.guest.spec import GuestSpec
    from xenvm.host.open import Host
    from xenvm.ops.create import Options
    from xenvm.types import Domid


def create(
    config: str | None,
    settings: tuple[str, ...],
    paused: bool,
    console: bool,
    dry_run: bool,
    no_monitor: bool,
    foreground: bool,
    quiet: bool,
    defconfig: str | None,
    hotplug_scripts: bool,
    ignore_masks: bool,
    timing: bool,
    as_json: bool,
) -> int:
    """Creates a guest; returns when it runs (or, with -F, when it is gone)."""
    phases = Phases()
    path, settings = _sources(config, defconfig, settings)
    if path is None:
        return usage("create needs a configuration file")
    from xenvm.guest.blueprint import located, settled
    from xenvm.ops.create import Options

    watch = "foreground" if foreground else "nobody" if no_monitor else "background"
    options = Options(paused=paused, hotplug_scripts=hotplug_scripts, watch=watch)
    if dry_run:
        return _plan(path, settings, options, as_json, ignore_masks, quiet)
    spec, _ = with_host_defaults(load(path, settings, quiet), masks=not ignore_masks)
    spec = located(settled(spec))  # here, because the monitor must make the same guest again
    with open_host() as host:
        domid = _make(host, spec, options, phases)
        if timing:
            aside("\n".join(phases.lines()))
        if console:
            host.courteous = not foreground
            _attach(host, domid)
        if foreground:
            _stay(host, domid)
    return OK


def _make(host: Host, spec: GuestSpec, options: Options, phases: Phases) -> Domid:
    """Makes the guest, and starts who watches it."""
    from xenvm.ops import monitor
    from xenvm.ops.create import create
    from xenvm.ops.signals import Endings

    with Endings():
        domid = create(host, spec, options, phases)
    if host.lasting and options.watch == "background" and not monitor.supervised(host):
        monitor.start(open_host, domid, spec.name)
        phases.done("start the monitor")
    return domid


def _stay(host: Host, domid: Domid) -> None:
    from xenvm.ops import monitor
    from xenvm.ops.notify import Notifier

    Notifier().pulse()  # as a unit of systemd: the guest runs
    monitor.watch(host, domid, say)


def _plan(
    path: str, settings: tuple[str, ...], options: Options, as_json: bool, ignore_masks: bool, quiet: bool
) -> int:
    from xenvm.cli import plan

    return plan.show(path, settings, options, plan.Wanted(as_json=as_json, masks=not ignore_masks), quiet)


def _attach(host: Host, domid: Domid) -> None:
    from xenvm.cli.console import attach

    attach(host, domid)


def _sources(
    config: str | None, defconfig: str | None, settings: tuple[str, ...]
) -> tuple[str | None, tuple[str, ...]]:
    """The configuration file and the settings; the first word may be either."""
    if config is not None and "=" in config:
        return defconfig, (config, *settings)
    return config or defconfig, settings


def load(path: str, settings: tuple[str, ...], quiet: bool) -> GuestSpec:
    """A guest from a configuration; what is odd about it is said."""
    if not quiet:
        aside(f"Parsing config from {path}")
    spec, diagnostics = load_file(path, settings)
    for diagnostic in diagnostics:
        say(str(diagnostic))
    check_actions(spec)
    return spec


def with_host_defaults(spec: GuestSpec, *, masks: bool = True) -> tuple[GuestSpec, tuple[str, ...]]:
    """The guest with what the host's xl.conf says where it says nothing itself, and what that was in words. `masks`:
    whether its masks of CPUs count."""
    path, data = xl_conf(run.chosen_host)
    if not data:
        return spec, ()
    from xenvm.guest.hostconf import parse_conf, with_defaults

    conf = parse_conf(data, path)
    for warning in conf.warnings:
        say(str(warning))
    return with_defaults(spec, conf if masks else conf.replace(cpus=None))
