"""The table of xl's subcommands: what each is here, how xl reads its words and ends, or why it is refused.

Names, options and codes are those of xl(1) on ARM; docs/xl.md is made from this table.
"""

from __future__ import annotations

from xenbus.value import Value
from xenvm.cli.xl.refused import REFUSED


class Row(Value):
    """One subcommand of xl. It is refused where xenvm has no command named `native`."""

    name: str
    summary: str
    letters: str = ""
    """Its options as getopt(3) writes them; ``-h`` is understood by all."""
    longs: tuple[str, ...] = ()
    """Long options, as ``wait=w``."""
    words: str = ""
    """What else it takes, for the help."""
    least: int = 0
    """How many words it needs."""
    native: str = ""
    own: str = ""
    """The function of xenvm.cli.xl.own, or MODULE:FUNCTION, that calls the native command in xl's manner, where the
    words do not pass."""
    ignored: str = ""
    """Letters that change nothing here."""
    refused: str = ""
    """Letters that are refused, with `reason`."""
    reason: str = ""
    """Why the command is refused, or the `refused` letters."""
    number_fails: bool = True
    """Whether xl ends with 1 for a domid that is not there; pause, say, ends with 0."""
    failed: str = ""
    """xl's own line after an error; {0} and {1} are the words."""
    dry: bool = False
    """Whether it takes the global -N."""
    on_arm: bool = True
    """Whether xl has it on ARM: others are found after these, so that beginnings mean what they mean to xl."""
    difference: str = ""
    """How it differs from xl, for the documents."""


_ATTACH = "DOMAIN ..."

_CLASSES = (("vkb", "a keyboard"), ("vdispl", "a display"), ("vsnd", "a sound card"))
_SCHED = ("domain=d", "weight=w", "cap=c", "schedparam=s", "cpupool=p", "ratelimit_us=r")

ROWS: tuple[Row, ...] = (
    Row(
        "create", "Create a guest from a configuration.", "AFVcdef:inpq",
        ("defconfig=f", "dryrun=n", "ignore-global-affinity-masks=i", "quiet=q", "vncviewer=V", "vncviewer-autopass=A"),
        "[CONFIG] [KEY=VALUE]...", native="create", own="create", ignored="d", refused="AV",
        reason="there is no graphical console to view: ARM guests of xenvm have none", dry=True,
        difference="Ends with 1 for a configuration that cannot be used, 3 for what fails later, 6 without a"
        " configuration. `-d` prints nothing.",
    ),
    Row("config-update", "Replace the configuration that the next reboot uses.", "dqf:", ("defconfig=f", "quiet=q"),
        "DOMAIN [CONFIG] [KEY=VALUE]...", native="config-update", own="config:update", ignored="d", dry=True,
        difference="For guests that xenvm has created; their names stay. A missing file ends with 253."),
    Row("list", "List domains.", "lvhZcn", ("long=l", "verbose=v", "context=Z", "cpupool=c", "numa=n"), "[DOMAIN]",
        native="list", own="listing",
        difference="`-l` shows the record of the configuration as it was last written."),
    Row("destroy", "End a domain at once.", "f", (), "DOMAIN", 1, native="destroy", failed="destroy failed (rc=-3)",
        difference="`-f` does not end domain 0 either."),
    Row("shutdown", "Ask guests to shut down.", "awF", ("all=a", "wait=w"), "DOMAIN|-a", native="shutdown", own="ask",
        ignored="F", failed="shutdown failed (rc=-3)"),
    Row("reboot", "Ask guests to reboot.", "awF", ("all=a", "wait=w"), "DOMAIN|-a", native="reboot", own="ask",
        ignored="F", failed="reboot failed (rc=-3)"),
    Row("pause", "Stop the vCPUs of a domain.", "", (), "DOMAIN", 1, native="pause", number_fails=False),
    Row("unpause", "Let a domain run.", "", (), "DOMAIN", 1, native="unpause", number_fails=False),
    Row("console", "Connect to a console.", "n:t:e:", (), "DOMAIN", 1, native="console", own="console"),
    Row("suspend", "Ask a guest to suspend.", "", (), "DOMAIN", 1, native="suspend", on_arm=False,
        difference="xl lacks it on ARM."),
    Row("resume", "Let a suspended guest go on.", "", (), "DOMAIN", 1, native="resume", number_fails=False,
        difference="xl lacks it on ARM before some later release."),
    Row("dump-core", "Write a guest's memory to a file.", "", (), "DOMAIN FILE", 2, native="dump-core",
        failed="core dump failed (rc=-3)"),
    Row("mem-max", "Set the most memory of a guest.", "", (), "DOMAIN MEMORY", 2, native="mem-max", own="memory",
        failed="cannot set domid {0} static max memory to : {1}"),
    Row("mem-set", "Set the memory of a guest.", "", (), "DOMAIN MEMORY", 2, native="mem-set", own="memory",
        failed="cannot set domid {0} dynamic max memory to : {1}"),
    Row("vcpu-list", "List vCPUs.", "", (), "[DOMAIN]...", native="vcpu-list", own="lists:vcpu_list",
        number_fails=False),
    Row("vcpu-pin", "Set where vCPUs run.", "fi", ("force=f", "ignore-global-affinity-masks=i"),
        "DOMAIN VCPU|all HARD [SOFT]", 3, native="vcpu-pin", own="config:vcpu_pin", dry=True),
    Row("vcpu-set", "Set how many vCPUs a guest has.", "i", ("ignore-host=i",), "DOMAIN COUNT", 2, native="vcpu-set",
        own="vcpu_set"),
    Row("vm-list", "List uuids and names.", native="vm-list"),
    Row("info", "Show facts about the host.", "nx", ("numa=n", "xenstore=x"), "[FIELD]", native="info", own="info"),
    Row("domid", "Print the domid of a name.", "", (), "NAME", 1, native="domid", own="domid"),
    Row("domname", "Print the name of a domid.", "", (), "DOMID", 1, native="domname", own="domname"),
    Row("rename", "Rename a domain.", "", (), "DOMAIN NAME", 2, native="rename", failed="Can't rename domain '{0}'."),
    Row("sysrq", "Send a Magic SysRq key.", "", (), "DOMAIN LETTER", 2, native="sysrq", own="sysrq",
        number_fails=False),
    Row("debug-keys", "Send Xen debug keys.", "", (), "KEYS", 1, native="debug-keys",
        failed="cannot send debug keys: {0}"),
    Row("dmesg", "Print Xen's log.", "c", ("clear=c",), native="dmesg"),
    Row("top", "Watch the domains.", native="top", reason="xenvm has no such view: `vcpu-list` shows the times of"
        " vCPUs", difference="A view of our own, not xentop."),
    Row("network-attach", "Give a guest a vif.", "", (), _ATTACH, 1, native="network-attach", own="network_attach",
        failed="libxl_device_nic_add failed.", dry=True),
    Row("network-list", "List vifs.", "", (), "DOMAIN...", 1, native="network-list", own="lists:devices"),
    Row("network-detach", "Take a vif away.", "", (), "DOMAIN DEVID|MAC", 2, native="network-detach",
        own="detach", failed="libxl_device_nic_del failed.", difference="A word that is no number is not the first"
        " vif."),
    Row("channel-list", "List channels.", "", (), "DOMAIN...", 1, native="channel-list", own="lists:listed",
        number_fails=False),
    Row("block-attach", "Give a guest a disk.", "", (), _ATTACH, 2, native="block-attach", own="block_attach",
        failed="libxl_device_disk_add failed.", dry=True),
    Row("block-list", "List disks.", "", (), "DOMAIN...", 1, native="block-list", own="lists:devices"),
    Row("block-detach", "Take a disk away.", "f", ("force=f",), "DOMAIN DEVICE", 2, native="block-detach",
        own="detach", failed="libxl_device_disk_remove failed."),
    Row("devd", "Plug in the devices that a driver domain serves.", "Fp:", ("pidfile=p",), native="devd", own="devd",
        difference="Disks and vifs only: it starts no QEMU. It refuses to run in domain 0."),
    Row("uptime", "Show for how long domains run.", "s", (), "[DOMAIN]...", native="uptime", own="uptime",
        number_fails=False),
    Row("claims", "List domains with the memory that is set aside for them.", native="claims", own="claims"),
    Row("sched-credit", "Show and set credit's parameters.", "d:w:c:p:t:r:m:s",
        (*_SCHED, "tslice_ms=t", "migration_delay_us=m"), native="sched-credit", own="pools:schedule"),
    Row("sched-credit2", "Show and set credit2's parameters.", "d:w:c:p:r:s", _SCHED, native="sched-credit2",
        own="pools:schedule"),
    Row("sched-rtds", "Show and set rtds' parameters.", "d:p:b:v:e:c:", ("domain=d", "period=p", "budget=b",
        "vcpuid=v", "extratime=e", "cpupool=c"), native="sched-rtds", own="pools:rtds"),
    Row("cpupool-create", "Create a cpupool.", "nf:", ("defconfig=f", "dryrun=n"), "[CONFIG] [KEY=VALUE]...",
        native="cpupool-create", own="pools:create", dry=True, difference="A key that it does not know is an error,"
        " and so is a name that is a number."),
    Row("cpupool-list", "List cpupools.", "c", ("cpus=c",), "[CPUPOOL]", native="cpupool-list"),
    Row("cpupool-destroy", "End a cpupool.", "", (), "CPUPOOL", 1, native="cpupool-destroy", own="pools:plain",
        failed="Can't destroy cpupool '{0}'"),
    Row("cpupool-rename", "Rename a cpupool.", "", (), "CPUPOOL NAME", 2, native="cpupool-rename", own="pools:plain",
        failed="Can't rename cpupool '{0}'", difference="A name that another cpupool has is refused."),
    Row("cpupool-cpu-add", "Give a cpupool CPUs.", "", (), "CPUPOOL CPUS", 2, native="cpupool-cpu-add",
        own="pools:cpu_add"),
    Row("cpupool-cpu-remove", "Take CPUs from a cpupool.", "", (), "CPUPOOL CPUS", 2, native="cpupool-cpu-remove",
        own="pools:cpu_remove"),
    Row("cpupool-migrate", "Put a domain into another cpupool.", "", (), "DOMAIN CPUPOOL", 2,
        native="cpupool-migrate", own="pools:migrate"),
    Row("getenforce", "Show Flask's mode.", native="getenforce", own="admin:getenforce"),
    Row("setenforce", "Set Flask's mode.", "", (), "MODE", native="setenforce", own="admin:setenforce"),
    Row("loadpolicy", "Load a policy into Flask.", "", (), "FILE", native="loadpolicy", own="admin:loadpolicy"),
    Row("dt-overlay", "Change Xen's device tree.", "", (), "add|remove|attach FILE [DOMAIN]", native="dt-overlay",
        own="admin:dt_overlay", difference="xl has it from Xen 4.18 on, and there it does not say whether this Xen"
        " lacks overlays."),
    Row("xenstore-quota-get", "Show quotas of the xenstore.", "g", (), "DOMAIN|-g", native="xenstore-quota-get",
        own="admin:quota_get", difference="xl has it from Xen 4.22 on, and shows an empty table where the store has"
        " no such quotas."),
    Row("xenstore-quota-set", "Set quotas of the xenstore.", "g", (), "DOMAIN|-g NAME=NUMBER...",
        native="xenstore-quota-set", own="admin:quota_set", difference="xl has it from Xen 4.22 on."),
    Row("pci-list", "List a guest's PCI devices.", "", (), "DOMAIN", 1, native="device-list", own="lists:absent"),
    Row("usb-list", "List a guest's USB.", "", (), "DOMAIN", 1, native="device-list", own="lists:absent"),
    Row("vtpm-list", "List virtual TPMs.", "", (), "DOMAIN...", 1, native="device-list", own="lists:absent"),
    Row("pci-assignable-list", "List PCI devices that guests can have.", "n", ("name=n",), native="device-list",
        own="lists:assignable", ignored="n", difference="Names that were given with `pci-assignable-add -n` are not"
        " shown."),
    *(row for kind, what in _CLASSES for row in (
        Row(f"{kind}-attach", f"Give a guest {what}.", "", (), _ATTACH, 2 if kind == "vsnd" else 1,
            native=f"{kind}-attach"),
        Row(f"{kind}-list", f"List what guests have of {kind}.", "", (), "DOMAIN...", 1, native=f"{kind}-list",
            own="lists:listed" if kind == "vkb" else "lists:unheaded", number_fails=False),
        Row(f"{kind}-detach", f"Take {what} away.", "", (), "DOMAIN DEVID", 2, native=f"{kind}-detach",
            own="detach"),
    )),
    *(Row(name, summary, words="...", native=name if attach else "", on_arm=on_arm, reason=reason)
      for name, summary, attach, on_arm, reason in REFUSED),
)  # fmt: skip


def find(word: str) -> Row | None:
    """The subcommand with this name, or the only one that begins so, first of all among those that ARM has."""
    begin = [row for row in ROWS if word and row.name.startswith(word)]
    exact = [row for row in begin if row.name == word]
    if exact:
        return exact[0]
    arm = [row for row in begin if row.on_arm]
    begin = arm or begin
    return begin[0] if len(begin) == 1 else None
