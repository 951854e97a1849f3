"""A server of 9P2000.L for folders of this host, and the rings on which guests speak to it; see docs/folders.md."""
