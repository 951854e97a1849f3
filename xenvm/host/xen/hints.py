"""What an error number most likely means, by operation; read only after a refusal."""

from __future__ import annotations

from errno import (
    E2BIG,
    EACCES,
    EADDRNOTAVAIL,
    EBUSY,
    EEXIST,
    EFAULT,
    EINVAL,
    EIO,
    ENODEV,
    ENOENT,
    ENOMEM,
    ENOSPC,
    ENOSYS,
    EOPNOTSUPP,
    EPERM,
    ESRCH,
)

_NO_HEAP = "Xen has no memory left for it"
_NO_ACCESS = "dom0 itself has no access to these pages"

_BY_OPERATION = {
    ("createdomain", EEXIST): "the domid is taken",
    ("createdomain", EINVAL): "too many vCPUs for the GIC, more than 960 SPIs, or what this host does not have",
    ("createdomain", ENODEV): "the host cannot provide this GIC version",
    ("createdomain", ENOMEM): _NO_HEAP,
    ("scheduler_op", EINVAL): "the scheduler of the domain's cpupool refuses such parameters",
    ("cpupool_create", ENOENT): "this Xen is built without such a scheduler",
    ("cpupool_create", ENOSPC): "Xen has as many cpupools as it allows, two for each CPU",
    ("cpupool_destroy", EBUSY): "it still has CPUs or domains",
    ("cpupool_destroy", ENOENT): "there is no such cpupool",
    ("cpupool_addcpu", ENODEV): "the CPU belongs to a cpupool, or is offline",
    ("cpupool_addcpu", EINVAL): "this host has no such CPU",
    ("cpupool_rmcpu", EADDRNOTAVAIL): "the CPU is not of this cpupool",
    ("cpupool_rmcpu", EBUSY): "it is the last CPU of a cpupool that has domains",
    ("cpupool_rmcpu", EINVAL): "CPU 0 stays in cpupool 0, or this host has no such CPU",
    ("cpupool_movedomain", ENOENT): "there is no such cpupool, or it has no CPUs",
    ("cpupool_movedomain", EPERM): "domain 0 cannot be moved",
    ("set_llc_colors", EOPNOTSUPP): "Xen was started without cache coloring",
    ("set_llc_colors", EINVAL): "the cache has fewer colors",
    ("flask_op", EINVAL): "the security policy has no such label",
    ("loadpolicy", EINVAL): "it is no policy that this Xen understands",
    ("dt_overlay", ENOSYS): "this Xen is older than overlays: 4.18 adds and removes them, 4.20 attaches them",
    ("dt_overlay", EOPNOTSUPP): "this Xen is built without overlays (CONFIG_OVERLAY_DTB)",
    ("dt_overlay", EINVAL): "the overlay does not fit, was not added, or its devices are in use",
    ("claim_pages", ENOMEM): "Xen has not so much memory left",
    ("max_vcpus", EINVAL): "not the number that the domain was created with",
    ("max_vcpus", ENOMEM): _NO_HEAP,
    ("set_paging_mempool_size", ENOMEM): _NO_HEAP,
    ("set_paging_mempool_size", EINVAL): "not a whole number of pages",
    ("set_address_size", EBUSY): "the domain owns memory already",
    ("set_address_size", EINVAL): "the host's CPUs cannot run such guests",
    ("setvcpucontext", EINVAL): "the domain is not of this width, or has no vCPUs",
    ("setvcpuaffinity", EINVAL): "none of these CPUs is in the domain's pool",
    ("unpausedomain", EINVAL): "the domain is not paused",
    ("alloc_unbound", ENOSPC): "the domain has no free event channel",
    ("map_foreign", EINVAL): "not all of these frames are RAM",
    ("map_foreign", ENOMEM): "dom0 has no room for the mapping",
    ("vuart_op", EPERM): "the domain has run already",
    ("vuart_op", EINVAL): "the domain has an UART already",
    ("iomem_permission", EPERM): _NO_ACCESS,
    ("memory_mapping", EPERM): _NO_ACCESS,
    ("memory_mapping", E2BIG): "too many pages at once",
    ("memory_mapping", ENOMEM): "the domain's pool of page tables is empty",
    ("bind_pt_irq", EPERM): "dom0 itself has no access to this interrupt",
    ("bind_pt_irq", EBUSY): "the interrupt is in use, or not below 32 + nr_spis",
    ("bind_pt_irq", EINVAL): "not a shared peripheral interrupt",
    ("bind_pt_irq", EIO): "the host's device tree does not say how the interrupt triggers",
    ("assign_device", EBUSY): "the device is in use; the host's device tree must mark it xen,passthrough",
    ("assign_device", EINVAL): "the device is behind no IOMMU, or the domain was created without passthrough",
    ("assign_device", EOPNOTSUPP): "Xen drives no IOMMU on this host",
    ("assign_device", ESRCH): "the host's device tree has no such node",
}
_BY_NUMBER = {
    EACCES: "this Xen has another interface version, or its security policy forbids it",
    EPERM: "this domain may not control others",
    ESRCH: "no such domain",
    ENOSYS: "not built into this Xen",
    EFAULT: "an argument was not in memory that Xen can reach",
}


def hint(operation: str, number: int) -> str:
    """A sentence fragment, empty when nothing better than the number is known."""
    return _BY_OPERATION.get((operation, number)) or _BY_NUMBER.get(number, "")
