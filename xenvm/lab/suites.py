"""What a lab is made of: the suites, dom0's packages, the kernel modules."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Suite:
    """A Debian suite and the Xen that it ships."""

    name: str
    xen: str

    @property
    def packages(self) -> tuple[str, ...]:
        """What to ask apt for, dependencies not counted."""
        return (f"xen-utils-{self.xen}", f"xen-hypervisor-{self.xen}-arm64", *DOM0_PACKAGES)


SUITES = {s.name: s for s in (Suite("bookworm", "4.17"), Suite("trixie", "4.20"))}

DOM0_PACKAGES = (
    "xen-utils-common", "xenstore-utils", "linux-image-arm64",
    # The stable libraries come with xl anyway; they are named because xenvm's bindings stand on them.
    "libxencall1", "libxendevicemodel1", "libxenevtchn1", "libxenforeignmemory1", "libxengnttab1",
    "libxentoolcore1",
    # Nothing depends on an essential package, so those are named.
    "python3", "kmod", "iproute2", "iputils-ping", "util-linux", "coreutils", "dash", "bash", "sed", "grep",
    "gawk", "busybox-static", "bridge-utils", "procps", "base-files", "mount", "hostname", "findutils", "gzip",
    "tar", "ncurses-base", "netbase",
    # libvirt's driver for Xen, for those who switch from it or keep it beside us.
    "libvirt-daemon-driver-xen", "libvirt-clients", "python3-libvirt",
)  # fmt: skip

#: Of a second architecture: a 32-bit guest's kernel (apt's metapackage) and its user space.
GUEST32_ARCH = "armhf"
GUEST32_KERNEL = "linux-image-armmp"
GUEST32_USER = "busybox-static"

#: Dependencies whose use is to configure packages or to boot with systemd: nothing of dom0 runs them.
UNWANTED = (
    "adduser", "cpio", "debconf", "dpkg", "gcc-*-base", "init-system-helpers", "initramfs-tools*",
    "klibc-utils", "libdb5.3*", "libfile-find-rule-perl", "libgdbm*", "libklibc", "libnumber-compare-perl",
    "libperl5*", "libsemanage*", "libsepol*", "libtext-glob-perl", "linux-base*", "logsave", "passwd", "perl*",
    "sensible-utils", "ucf", "udev", "usrmerge", "dracut*", "systemd*", "login*", "dmsetup",
)  # fmt: skip

#: What dom0 needs to reach its root file system, in this order.
INITRD_MODULES = ("virtio_mmio", "virtio_blk", "crc32c_generic", "ext4", "virtio_net")

#: Modules on dom0's disk (with what they depend on).
DOM0_MODULES = (
    *INITRD_MODULES, "9p", "9pnet_virtio",
    "xenfs", "xen_evtchn", "xen_gntdev", "xen_gntalloc", "xen_privcmd", "xen_blkback", "xen_netback",
    "xen_pciback", "xen_scsiback", "loop", "bridge", "tun", "veth", "dm_mod", "nbd", "overlay", "fuse", "vfat",
)  # fmt: skip

GUEST_MODULES = ("xen_blkfront", "xen_netfront")
#: Those that a guest loads only if it is to have a shared folder: each module costs every other guest time.
GUEST_MODULES_9P = ("9pnet_xen", "9p")

#: Documentation and the like, left out while unpacking.
EXCLUDED = (
    "./usr/share/doc/*", "./usr/share/man/*", "./usr/share/locale/*", "./usr/share/info/*",
    "./usr/share/lintian/*", "./usr/share/bash-completion/*", "./usr/share/zoneinfo/*",
    "./usr/lib/*/perl*", "./usr/lib/*/gconv/*", "./usr/lib/xen-*/boot/*", "./usr/lib/debug/*",
    # libvirt's daemon ends if one of its drivers cannot start, as those without their programs and users.
    *(f"./usr/lib/*/libvirt/connection-driver/libvirt_driver_{other}.so"
      for other in ("qemu", "nwfilter", "network", "nodedev", "interface", "secret", "storage", "lxc", "vbox", "ch")),
)  # fmt: skip
