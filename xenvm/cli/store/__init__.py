"""store: the debugging shell for xenstore, and its commands one at a time."""
