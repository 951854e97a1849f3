"""Real Xen: ctypes on the stable libraries, structures by version."""
