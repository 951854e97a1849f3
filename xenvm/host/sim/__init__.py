"""A simulated Xen: the Hypervisor contract without a hypervisor, and the kernels, back ends and daemons around it."""
