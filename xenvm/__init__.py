"""xenvm: a toolstack for Xen on ARM. Everything but the hypervisor node is on xenbus."""

__version__ = "0.1.0"
