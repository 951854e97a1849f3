"""What guest to build: pure values and functions; no hypervisor, no store, no side effects."""
