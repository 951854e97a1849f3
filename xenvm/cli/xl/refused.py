"""Subcommands of xl that xenvm does not have, each with the reason: (name, summary, taken, on ARM, reason).

One that is `taken` passes its words on as soon as xenvm has a command of its name.
"""

from __future__ import annotations

_X86 = "it is for x86 only: Xen has nothing of the kind on ARM"
_STATE = "Xen on ARM cannot save the state of a guest"
_HVM = "it is for fully emulated guests, which ARM has not"
_PCI = "xenvm does not hand out PCI devices: on ARM Xen's support for them is experimental"
_USB = "xenvm has no USB for guests"
_TPM = "xenvm has no virtual TPM: it needs a domain of its own, which is built for x86"
_POOL = "Xen on ARM has one NUMA node, so there is nothing to split"

REFUSED: tuple[tuple[str, str, bool, bool, str], ...] = (
    ("cpupool-numa-split", "Make a cpupool of each NUMA node.", False, True, _POOL),
    ("trigger", "Send a guest an NMI, reset or power button.", False, True, "Xen on ARM has no such triggers; "
     "`xenvm trigger` stops a guest with a reason"),
    ("button-press", "Press a guest's button.", False, True, _HVM),
    ("vncviewer", "Show a guest's screen.", False, True, "ARM guests of xenvm have no screen"),
    ("qemu-monitor-command", "Command a guest's QEMU.", False, True, "ARM guests of xenvm run without QEMU"),
    ("sharing", "Show shared pages.", False, True, "Xen on ARM does not share pages among guests"),
    ("set-parameters", "Set parameters of Xen.", False, True, "xenvm does not write Xen's parameters: "
     "set them on Xen's command line"),
    *((f"vtpm-{verb}", f"{word} a virtual TPM.", False, True, _TPM)
      for verb, word in (("attach", "Attach"), ("detach", "Detach"))),
    *((f"pci-{verb}", f"{word} PCI devices.", False, True, _PCI)
      for verb, word in (("attach", "Attach"), ("detach", "Detach"))),
    *((f"pci-assignable-{verb}", f"{word} PCI devices for guests.", False, True, _PCI)
      for verb, word in (("add", "Add"), ("remove", "Remove"))),
    *((name, "Change a guest's USB.", False, True, _USB)
      for name in ("usbctrl-attach", "usbctrl-detach", "usbdev-attach", "usbdev-detach")),
    *((name, "Change a guest's CD.", False, True, _HVM) for name in ("cd-insert", "cd-eject")),
    *((name, "Move a guest's state.", False, False, _STATE)
      for name in ("save", "restore", "migrate", "migrate-receive", "remus")),
    *((f"psr-{name}", "Share out a CPU's resources.", False, False, _X86)
      for name in ("hwinfo", "cmt-attach", "cmt-detach", "cmt-show", "cat-set", "cat-show", "mba-set", "mba-show")),
)  # fmt: skip
