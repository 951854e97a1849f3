"""A XenStore server: its engine, and what carries its bytes and keeps its state."""
