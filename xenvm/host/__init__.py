"""What to build on: the hypervisor, real or simulated, and the plumbing of back ends."""
