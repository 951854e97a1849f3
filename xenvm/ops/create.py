"""A guest onto a host: the whole creation as one straight procedure, and its only undoing, `destroy`.

What can be checked is checked before anything is touched; from the moment the domain exists every failure converges
to its end, with its nodes, loop devices and vifs.
"""

from __future__ import annotations

import errno

from xenbus.errors import StoreClosed, XenbusError
from xenbus.frugal import Deferred
from xenbus.request import Discard, Introduce, Write
from xenbus.value import Value
from xenvm.errors import HostError, HypercallError, XenvmError
from xenvm.guest import dtb, libxl_json, nodes
from xenvm.guest.blueprint import HostFacts, draw
from xenvm.guest.layout import XENSTORE_GFN
from xenvm.ops import build, memo
from xenvm.ops.destroy import destroy
from xenvm.ops.names import check_free
from xenvm.ops.others import awaited, other_devices
from xenvm.ops.phases import Phases
from xenvm.ops.plumb import Plumbing, back_end_ready, writes
from xenvm.ops.pools import pool_number
from xenvm.ops.signals import Shield
from xenvm.ops.wishes import wishes_of
from xenvm.types import DOM0, Domid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from xenbus.request import Request
    from xenvm.guest.blueprint import Blueprint
    from xenvm.guest.spec import GuestSpec
    from xenvm.host.hyper import Created, Hypervisor
    from xenvm.host.open import Host
    from xenvm.host.plumbing.locks import HostLock
    from xenvm.ops import backends
else:
    backends = Deferred("xenvm.ops.backends")  # for guests that other domains serve

BACKEND_SECONDS = 40.0
"""How long back ends and the console daemon may take together."""
CREATING = "creating"
"""The node below the domain's records that says who creates it, until it is complete."""
_DOMID_TRIES = 32


class Options(Value):
    """How to create, apart from what."""

    paused: bool = False
    hotplug_scripts: bool = False
    watch: str = "background"
    """Who may act when the guest goes down, see memo.WATCHERS."""


DEFAULTS = Options()


def facts_of(hyper: Hypervisor) -> HostFacts:
    """What a plan needs to know of a hypervisor."""
    dom0, physical = hyper.domain(DOM0), hyper.physinfo()
    return HostFacts(
        release=hyper.version.release,
        capabilities=hyper.capabilities(),
        gpaddr_bits=40 if dom0 is None else dom0.gpaddr_bits,
        directio=physical.directio,
        cpus=frozenset(range(physical.max_cpu_id + 1)),
        sve_bits=physical.sve_bits,
        vpmu=physical.vpmu,
    )


def create(host: Host, spec: GuestSpec, options: Options = DEFAULTS, phases: Phases | None = None) -> Domid:
    """Builds and starts a guest; its domid. Whatever fails, nothing of it is left."""
    facts = facts_of(host.hyper)
    if spec.bootloader is None:
        return carry_out(host, draw(_with_domids(host, spec), facts), options, phases)
    from xenvm.ops.bootloader import Booted

    with Booted(host, spec, spec.bootloader) as booted:
        return carry_out(host, draw(_with_domids(host, booted), facts), options, phases, asked=spec)


def _with_domids(host: Host, spec: GuestSpec) -> GuestSpec:
    """The same guest, its back ends' domains by number."""
    if all(device.backend == "0" for devices in (spec.disks, spec.nics, spec.virtios) for device in devices):
        return spec
    return backends.with_domids(host, spec)


def carry_out(
    host: Host,
    plan: Blueprint,
    options: Options = DEFAULTS,
    phases: Phases | None = None,
    asked: GuestSpec | None = None,
) -> Domid:
    """The same for a blueprint that was drawn for this host; `asked`: the guest before a bootloader chose images."""
    creation = _creation(host, plan, options, phases)
    creation.asked = asked or plan.spec
    creation.phases.done("read the configuration")
    try:
        creation.check()
        creation.run()
        if not options.paused:
            host.hyper.unpause(creation.domid)
    except BaseException as error:
        creation.undo(error)
        raise
    creation.phases.done("start")
    return creation.domid


def check_host(host: Host, plan: Blueprint, options: Options = DEFAULTS) -> None:
    """Refuses what could not be carried out on this host now; nothing but lock files is touched."""
    creation = _creation(host, plan, options)
    try:
        creation.check()
    finally:
        creation.leave()


def _creation(host: Host, plan: Blueprint, options: Options, phases: Phases | None = None) -> Creation:
    phases = phases or Phases()
    disks, nics, release = plan.spec.disks, plan.spec.nics, plan.facts.release
    plumbing = Plumbing(host, disks, nics, plan.uuid, release, use_scripts=options.hotplug_scripts)
    return Creation(host, plan, plumbing, phases, options)


def _with_server(device: nodes.Device) -> str:
    """For messages: ``vif 0 (served by domain 5)``."""
    return f"{device.kind} {device.devid}" + (
        f" (served by domain {device.backend_domid})" if device.backend_domid else ""
    )


def _check_memory(hyper: Hypervisor, plan: Blueprint) -> None:
    free = hyper.physinfo().free_kib
    if free < plan.need:
        raise HostError(
            f"{plan.spec.name}: not enough memory: it needs {plan.need // 1024} MiB with its page tables,"
            f" {free // 1024} MiB are free on this host"
        )


class Creation:
    """One creation under way, from the first hypercall on."""

    domid = Domid(-1)

    def __init__(
        self, host: Host, plan: Blueprint, plumbing: Plumbing, phases: Phases, options: Options = DEFAULTS
    ) -> None:
        self.host, self.plan, self.plumbing, self.phases, self.options = host, plan, plumbing, phases, options
        self.asked = plan.spec
        """What the records tell: without what a bootloader has chosen."""
        self.loader: build.Loader | None = None
        self._lock: HostLock | None = None
        self._pool = 0
        self._wishes = wishes_of(host, plan)
        self._others: list[nodes.Device] = []
        """Its devices besides disks, vifs and the console."""
        self._spare: list[Domid] = []
        """Domains that Xen gave a number in use to."""

    def check(self) -> None:
        """Refuses what cannot work on this host now; one round trip to the store, one more for shared disks.

        From here on until the guest's name is in the store no other creation is under way, xl's neither.
        """
        self._lock = self.host.plumbing.locks.host_lock()
        self._pool = pool_number(self.host, self.plan.spec)
        self._wishes.check(self._pool)
        self.plumbing.check()
        domains = self.host.hyper.domains()
        questions = self.plumbing.questions(domains)
        answers = check_free(self.host, domains, self.plan.spec.name, self.plan.spec.uuid, also=questions)
        self.plumbing.check_sharing(questions, answers)
        _check_memory(self.host.hyper, self.plan)
        self.phases.done("check the host")

    def leave(self) -> list[str]:
        """Gives up what `check` took, as long as nothing of the guest is in the store; sentences about trouble."""
        troubles = self.plumbing.undo()
        self._unlock()
        return troubles

    def run(self) -> None:
        """Everything but the start."""
        hyper, plan = self.host.hyper, self.plan
        created = self._new_domain()
        self._wishes.created(self.domid)
        rings = build.prepare(hyper, self.domid, plan)
        self._wishes.prepared(self.domid)
        self.phases.done("create the domain")
        build.populate(hyper, self.domid, plan)
        self._wishes.populated(self.domid)
        self.phases.done("populate its memory")
        place, tree = dtb.for_guest(plan, created.gic_version, created.clock_frequency)
        self.phases.done("make the device tree")
        self.loader = build.Loader(hyper, self.domid, build.segments(plan, place, tree))
        rings = build.connect_rings(hyper, self.domid, plan, rings)
        self.plumbing.attach_disks()
        self.phases.done("rings, grants, disks")
        self._connect(rings, self.loader)
        build.pass_through(hyper, self.domid, plan)
        hyper.set_entry(self.domid, build.entry(plan, place))
        self._wishes.built(self.domid)
        self._record()
        # Whoever finds the guest from here on has all of it, but for what its vifs' own records still tell.
        self.plumbing.finish(self.domid, [Discard(f"/libxl/{self.domid}/{CREATING}")])
        self.phases.done("plumb the vifs")

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _new_domain(self) -> Created:
        """A domain with a number that was not in use a moment ago: old watches might still act on it."""
        hyper, request = self.host.hyper, build.create_request(self.plan, self._pool, self._wishes.ssidref)
        used = self.host.plumbing.domids.recent()
        try:
            for _ in range(_DOMID_TRIES):
                with Shield():
                    created = hyper.create(request)
                    if created.domid not in used:
                        self.domid = created.domid
                        return created
                    self._spare.append(created.domid)
        except HypercallError as error:
            raise build.explain_refusal(self.plan, error) from error
        finally:
            self._drop_spare()
        raise HostError(f"all of the last {_DOMID_TRIES} domids were in use within the last minute")

    def _drop_spare(self) -> None:
        while self._spare:
            self.host.hyper.destroy(self._spare[-1])
            self._spare.pop()

    def _connect(self, rings: nodes.Ports, loader: build.Loader) -> None:
        """Writes the guest's nodes, introduces it, and connects its back ends while the images are loaded."""
        store = self.host.store
        self._others = other_devices(self.host, self.domid, self.plan.spec)
        store.transact(list(self._requests(rings)), checked=False)
        self.plumbing.committed()
        self._unlock()
        self.phases.done("write the store")
        devices = self.plumbing.disks(self.domid) + self.plumbing.nics(self.domid) + awaited(self._others)
        states = [f"{device.backend}/state" for device in devices]
        deaths = ["@releaseDomain"] if any(device.backend_domid for device in devices) else []
        with store.follow(
            [self._console, *states, *deaths], first=self._introduction(rings), unwatch=False
        ) as follower:
            loader.finish()
            self.phases.done("load the images")
            waited_for = ", ".join(["the console daemon", *map(_with_server, devices)])
            follower.wait(lambda values: self._served(devices, values), store.clock() + BACKEND_SECONDS, waited_for)
        self.phases.done("wait for the back ends")

    def _introduction(self, rings: nodes.Ports) -> list[Request]:
        """What goes out with the first look at the back ends: the guest's connection to the store."""
        return [
            *self._wishes.before_introduction(self.domid),
            Introduce(self.domid, XENSTORE_GFN, rings.store),
            *self._wishes.after_introduction(self.domid),
        ]

    def _served(self, devices: Sequence[nodes.Device], values: Mapping[str, bytes | None]) -> bool:
        """Whether the console and all devices are served; raises where one never will be."""
        served = [device for device in devices if device.backend_domid]
        if served:
            backends.check_servers(self.host, served)
        return bool(values[self._console]) and all(
            back_end_ready(f"{device.kind} {device.devid}", values[f"{device.backend}/state"], device.backend_domid)
            for device in devices
        )

    @property
    def _console(self) -> str:
        """The node in which the console daemon says where the guest's console is."""
        return f"/local/domain/{self.domid}/console/tty"

    def _record(self) -> None:
        """Leaves what xl goes by when it lists the guest whole, changes its memory or adds devices; and what the guest
        can be made again from."""
        given = {key: getattr(self.asked, key) for key in ("bootloader", "kernel", "ramdisk", "cmdline")}
        spec = self.plan.spec.replace(uuid=self.plan.uuid, **given)
        self.host.plumbing.userdata.UserData(self.domid, self.plan.uuid).write_config(libxl_json.record(spec))
        kept = memo.Memo(spec, self.options.watch, self.options.hotplug_scripts)
        memo.write(self.host, self.domid, self.plan.uuid, kept)
        self.host.plumbing.consolelog.begin(spec.name)

    def _requests(self, rings: nodes.Ports) -> Iterator[Request]:
        who = nodes.Identity(self.domid, self.plan.uuid, self.plan.spec.name)
        # Nothing may be left of a former domain of this number.
        yield from (Discard(who.home), Discard(who.vm), Discard(who.private))
        yield from writes(self._nodes(who, rings))
        yield Write(f"{who.private}/{CREATING}", self.host.plumbing.locks.claim())

    def _nodes(self, who: nodes.Identity, rings: nodes.Ports) -> Iterator[nodes.Node]:
        disks, nics = self.plumbing.disks(self.domid), self.plumbing.nics(self.domid)
        nics += self._others + self._wishes.devices(self.domid)
        return nodes.guest_nodes(who, self.plan.spec, rings, f"{self.host.date():.2f}", disks, nics)

    def undo(self, error: BaseException) -> None:
        """Ends what was begun, whatever signals come; the error's notes say what became of it."""
        with Shield():
            self._undo(error)

    def _undo(self, error: BaseException) -> None:
        if self.loader is not None:
            self.loader.join()
        # Before the rest: `destroy` takes the lock of the block scripts, which may still be ours.
        troubles = self.leave()
        try:
            self._drop_spare()
        except HypercallError as second:
            troubles.append(f"a domain without a guest is left: {second}")
        if self.domid >= 0:
            troubles += self._end()
            if not troubles:
                error.add_note(f"{self.plan.spec.name}, domain {self.domid}, was not created; nothing of it is left")
        for trouble in troubles:
            error.add_note(trouble)

    def _end(self) -> list[str]:
        """Removes the domain, over a new connection if the store's was lost; its memory even without any store."""
        try:
            try:
                return destroy(self.host, self.domid, self.plan.uuid)
            except StoreClosed:
                self.host.reconnect()
                return destroy(self.host, self.domid, self.plan.uuid)
        except (XenvmError, XenbusError, OSError) as error:
            trouble = f"domain {self.domid} could not be removed whole: {error}"
        try:
            self.host.hyper.destroy(self.domid)
        except HypercallError as error:
            if error.errno != errno.ESRCH:
                return [trouble, f"domain {self.domid} still exists: {error}"]
        return [trouble]
