"""The settings of xl.cfg(5) as rows: data for :mod:`xenvm.guest.settings`, which turns them into parser and manual.

Types are S string, I number, B flag (a number, true unless zero), L list of strings, L/S either, LL list of lists.
Priorities tell how much a daily user of Xen on ARM misses a setting: must, should, nice, no.
"""

from __future__ import annotations

_U31 = (1 << 31) - 1

USED = (
    # key, type, priority, default, field of GuestSpec, converter, what the converter takes, help
    ("name", "S", "must", "", "", "", (), "Name of the guest; must be given."),
    ("uuid", "S", "must", "random", "uuid", "uuid", (), "Identity of the guest, 8-4-4-4-12 hexadecimal digits."),
    ("type", "S", "must", "pvh", "", "", (), "Type of guest; ARM has only pvh, pv means the same."),
    ("builder", "S", "must", "", "", "", (), "Old spelling of type; generic is the only one that ARM has."),
    ("on_poweroff", "S", "must", "destroy", "on_poweroff", "action", (),
     "What follows a power-off: destroy, restart, rename-restart, preserve, coredump-destroy, coredump-restart or"
     " soft-reset."),
    ("on_reboot", "S", "must", "restart", "on_reboot", "action", (), "What follows a reboot."),
    ("on_watchdog", "S", "must", "destroy", "on_watchdog", "action", (), "What follows a watchdog's time-out."),
    ("on_crash", "S", "must", "destroy", "on_crash", "action", (), "What follows a crash."),
    ("on_soft_reset", "S", "should", "soft-reset", "on_soft_reset", "action", (), "What follows a soft reset."),
    ("pool", "S", "should", "Pool-0", "pool", "path", (), "The cpupool that the guest runs in."),
    ("passthrough", "S", "must", "default", "passthrough", "passthrough", (),
     "Whether devices can be passed through: default, disabled, enabled or share_pt."),
    ("kernel", "S", "must", "", "", "", (), "Path of the kernel image in the host; must be given."),
    ("ramdisk", "S", "must", "", "ramdisk", "path", (), "Path of the initial ramdisk in the host."),
    ("cmdline", "S", "must", "", "", "", (), "Kernel command line; wins over root and extra."),
    ("root", "S", "must", "", "", "", (), "Root device, put in front of the command line as root=."),
    ("extra", "S", "must", "", "", "", (), "More of the kernel command line."),
    ("device_tree", "S", "must", "", "device_tree", "path", (), "Path of a partial device tree blob to add."),
    ("vcpus", "I", "must", "1", "", "", (), "vCPUs that are online at the start."),
    ("maxvcpus", "I", "must", "vcpus", "", "", (), "The most vCPUs the guest can have, at most 128."),
    ("cpus", "L/S", "must", "all", "", "", (), "Host CPUs that the vCPUs may run on; a list has an element a vCPU."),
    ("cpus_soft", "L/S", "must", "all", "", "", (), "Host CPUs that the vCPUs preferably run on."),
    ("memory", "I", "must", "maxmem or 32", "", "", (), "MiB of memory at the start."),
    ("maxmem", "I", "must", "memory", "", "", (), "The most MiB of memory the guest can have."),
    ("shadow_memory", "I", "should", "computed", "shadow_memory", "mebibytes", (1, _U31),
     "MiB for the guest's stage-2 page tables."),
    ("max_grant_frames", "I", "must", "Xen's", "max_grant_frames", "number", (1, _U31),
     "The most pages of grant table."),
    ("max_maptrack_frames", "I", "must", "Xen's", "max_maptrack_frames", "number", (0, _U31),
     "The most pages that keep track of mapped grants."),
    ("max_grant_version", "I", "should", "1", "max_grant_version", "number", (1, 2),
     "The highest version of grant table."),
    ("max_event_channels", "I", "must", "1023", "max_event_channels", "event_channels", (0, _U31),
     "The highest port of an event channel."),
    ("gic_version", "S", "must", "default", "gic_version", "choice", ("default", "v2", "v3"),
     "Interrupt controller of the guest: v2, v3 or default, the host's."),
    ("vuart", "S", "must", "", "vuart", "vuart", ("sbsa_uart", "unknown"),
     "An emulated UART for early output: sbsa_uart."),
    ("nr_spis", "I", "should", "computed", "nr_spis", "number", (0, 5088), "Shared interrupts of the guest."),
    ("dtdev", "L", "must", "[]", "dtdev", "dtdev", (), "Paths of host device tree nodes to hand to the guest."),
    ("iomem", "L", "must", "[]", "iomem", "iomem", (),
     "Host pages to map, START,NUM[@GFN] in hexadecimal page numbers."),
    ("irqs", "L", "must", "[]", "irqs", "irqs", (32, 1019), "Host interrupts to route to the guest, in decimal."),
    ("disk", "L", "must", "[]", "disks", "disks", (), "Disks; see xl-disk-configuration(5)."),
    ("vif", "L", "must", "[]", "nics", "vifs", (), "Network interfaces; see xl-network-configuration(5)."),
    ("channel", "L", "must", "[]", "channels", "channels", (), "Named console channels."),
    ("p9", "L", "should", "[]", "p9s", "p9s", (), "Shared folders over 9pfs."),
    ("vkb", "L", "should", "[]", "vkbs", "vkbs", (), "Keyboards, pointers and touch screens."),
    ("vdispl", "L", "should", "[]", "vdispls", "vdispls", (), "Displays."),
    ("vsnd", "LL", "should", "[]", "vsnds", "vsnds", (), "Sound cards."),
    ("pvcalls", "L", "nice", "[]", "pvcalls", "pvcalls", (), "Sockets that the host opens for the guest."),
    ("virtio", "L", "should", "[]", "virtios", "virtios", (), "virtio-mmio devices other than disks."),
    ("cpu_weight", "I", "should", "256", "", "", (), "Weight of the guest for the schedulers credit and credit2."),
    ("cap", "I", "should", "0", "", "", (), "The most CPU time of the guest in percent of a CPU; 0: no limit."),
    ("period", "I", "nice", "the scheduler's", "", "", (), "Period in microseconds, for the scheduler rtds."),
    ("extratime", "I", "nice", "1", "", "", (), "Whether the guest gets CPU time that others leave; rtds."),
    ("llc_colors", "L", "should", "the host's", "llc_colors", "colors", (),
     "Colors of the last-level cache, as numbers and ranges; from Xen 4.20 on."),
    ("sve", "S", "should", "disabled", "sve", "sve", (),
     "Bits of a vector of the Scalable Vector Extension, or hw for the most; from Xen 4.18 on."),
    ("tee", "S", "should", "none", "tee", "choice", ("none", "optee", "ffa"),
     "Trusted execution environment: optee or ffa."),
    ("arm_sci", "S", "should", "type=none", "arm_sci", "arm_sci", (),
     "System control interface: type=scmi_smc; from Xen 4.21 on."),
    ("vpmu", "B", "should", "0", "vpmu", "flag", (), "Performance counters for the guest; from Xen 4.16 on."),
    ("trap_unmapped_accesses", "B", "should", "1", "trap_unmapped_accesses", "flag", (),
     "Whether accesses to unmapped addresses fault; from Xen 4.21 on it can be 0."),
    ("seclabel", "S", "should", "", "seclabel", "path", (), "Security label of the guest; needs a Xen with Flask."),
    ("init_seclabel", "S", "should", "", "init_seclabel", "path", (),
     "Security label of the guest while it is built."),
    ("driver_domain", "B", "should", "0", "driver_domain", "flag", (), "Lets the guest serve devices to other guests."),
    ("claim", "B", "should", "0", "claim", "flag", (), "Sets the guest's memory aside before it is given."),
    ("xenstore_feature_mask", "I", "should", "0xffffffff", "", "", (),
     "Features of the store that the guest may see; needs a xenstored that has per-domain features."),
    ("xenstore_quota", "L", "should", "[]", "xenstore_quota", "quota", (),
     "Limits of the guest in the store, name=value; needs a xenstored that has per-domain quotas."),
    ("bootloader", "S", "should", "", "", "", (),
     "Program in the host that finds kernel and ramdisk in the first disk, such as pygrub."),
    ("bootloader_args", "L/S", "should", "", "", "", (), "Arguments of the bootloader."),
    ("bootloader_user", "S", "should", "", "", "", (), "User that the bootloader runs as, if it is restricted."),
    ("bootloader_restrict", "B", "should", "0", "", "", (), "Whether the bootloader runs as that user."),
    ("nomigrate", "B", "nice", "0", "nomigrate", "flag", (), "Forbids migration, which ARM does not have: recorded."),
    ("localtime", "B", "nice", "0", "localtime", "flag", (), "Starts an x86 guest's clock in local time: recorded."),
    ("rtc_timeoffset", "I", "nice", "0", "rtc_timeoffset", "offset", (),
     "Offset of an x86 guest's clock in seconds: recorded."),
    ("slice", "I", "nice", "", "", "", (), "Slice of a scheduler that Xen has no more: recorded."),
    ("latency", "I", "nice", "", "", "", (), "Latency of a scheduler that Xen has no more: recorded."),
)  # fmt: skip
"""Settings that a guest is made from; those without a field are read together with others."""

HARMLESS = (
    # key, type, priority, default, help
    ("pci_permissive", "B", "nice", "0", "Default of permissive= for the pci list."),
    ("pci_msitranslate", "B", "nice", "0", "Default of msitranslate= for the pci list."),
    ("pci_seize", "B", "nice", "0", "Default of seize= for the pci list."),
    ("pci_power_mgmt", "B", "nice", "0", "Default of power_mgmt= for the pci list."),
)
"""Settings that are accepted in silence: only of use next to one that is refused."""

_NO_QEMU = "xenvm starts no QEMU"

REFUSED = (
    # key, type, priority, value that asks for nothing, why, help
    ("acpi", "B", "nice", "0", "xenvm describes its guests by device trees, not by ACPI tables", "ACPI tables."),
    ("altp2m", "S", "no", "disabled", "Xen on ARM has no alternative p2m", "Alternative p2m tables."),
    ("altp2m_count", "I", "no", "0", "Xen on ARM has no alternative p2m", "Number of alternative p2m tables."),
    ("vfb", "L", "nice", "", f"a framebuffer is served by QEMU, and {_NO_QEMU}", "A framebuffer served by QEMU."),
    ("pci", "L", "should", "", "PCI pass-through on ARM is an experiment of Xen's that xenvm takes no part in",
     "PCI devices to pass through."),
    ("usbctrl", "L", "nice", "", f"PV USB is served by QEMU, and {_NO_QEMU}", "USB controllers."),
    ("usbdev", "L", "nice", "", f"PV USB is served by QEMU, and {_NO_QEMU}", "USB devices."),
    ("device_model_version", "S", "nice", "qemu-xen", _NO_QEMU, "Version of QEMU that serves devices."),
    ("device_model_override", "S", "nice", "", _NO_QEMU, "Path of the QEMU that serves devices."),
    ("device_model_args", "L/S", "nice", "", _NO_QEMU, "Arguments of the QEMU that serves devices."),
    ("device_model_args_pv", "L/S", "nice", "", _NO_QEMU, "Arguments of the QEMU that serves devices."),
    ("ioports", "L", "no", "", "ARM has no I/O ports to grant", "I/O ports to grant."),
    ("gfx_passthru", "S", "no", "0", "a graphics card can be passed through on x86 only", "Graphics pass-through."),
)  # fmt: skip
"""Settings that cannot be granted: an error unless the value asks for nothing."""

IGNORED = (
    # keys, type, why
    ("altp2mhvm hap oos pae apic nx hpet vpt_align nestedhvm e820_host acpi_s3 acpi_s4 acpi_laptop_slate msr_relaxed"
     " hvm_pirq xen_platform_pci xen_platform_pci_bar_uc stdvga vnc vncunused vncviewer sdl opengl spice"
     " spicedisable_ticketing spiceagent_mouse spicevdagent spice_clipboard_sharing usb vkb_device nographic pvshim"
     " xend_suspend_evtchn_compat", "B", "x86 only"),
    ("tsc_mode timer_mode bios bios_path_override firmware firmware_override smbios_firmware acpi_firmware"
     " ms_vm_genid rdm vendor_device boot hdtype vga vnclisten vncpasswd display xauthority spicehost spicepasswd"
     " spice_image_compression spice_streaming_video keymap soundhw pvshim_path pvshim_cmdline pvshim_extra",
     "S", "x86 only"),
    ("mmio_hole rdm_mem_boundary videoram vncdisplay spiceport spicetls_port spiceusbredirection usbversion"
     " vmtrace_buf_kb", "I", "x86 only"),
    ("smbios mca_caps", "L", "x86 only"),
    ("viridian cpuid serial usbdevice", "L/S", "x86 only"),
    ("device_model device_model_user device_model_stubdomain_seclabel stubdomain_kernel stubdomain_ramdisk"
     " stubdomain_cmdline", "S", "it concerns the device model of x86 guests"),
    ("device_model_stubdomain_override dm_restrict", "B", "it concerns the device model of x86 guests"),
    ("stubdomain_memory", "I", "it concerns the device model of x86 guests"),
    ("device_model_args_hvm", "L/S", "it concerns the device model of x86 guests"),
    ("vnuma", "LL", "Xen on ARM has no NUMA"),
    ("vtpm", "L", "Xen on ARM has no TPM domain"),
    ("vif2", "L", "no system has ever served such interfaces"),
    ("blkdev_start", "S", "it is a setting of the host, of xl.conf"),
)  # fmt: skip
"""Settings that are accepted with one warning that says why they have no effect."""
