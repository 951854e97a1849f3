"""config-update: another configuration for a guest's next start."""

from __future__ import annotations

import sys

from xenvm.cli.run import OK, USAGE, open_host


def update(domain: str, config: str | None, settings: tuple[str, ...], defconfig: str | None, quiet: bool) -> int:
    """Keeps the configuration for when the guest is made again."""
    from xenvm.cli.create import with_host_defaults
    from xenvm.guest.load import load_file
    from xenvm.ops import names
    from xenvm.ops.actions import check_actions
    from xenvm.ops.reconfigure import replace_config

    words = settings if config is None else (config, *settings)
    path = words[0] if words and "=" not in words[0] else defconfig
    settings = words if path is defconfig else words[1:]
    if path is None:
        print("xenvm: config-update needs a configuration file", file=sys.stderr)
        return USAGE
    with open_host() as host:
        info = names.find_guest(host, domain)
        spec, diagnostics = load_file(path, settings)
        for diagnostic in () if quiet else diagnostics:
            print(f"xenvm: {diagnostic}", file=sys.stderr)
        check_actions(spec)
        replace_config(host, info, with_host_defaults(spec)[0])
    return OK
