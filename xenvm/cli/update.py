"""config-update: another configuration for a guest's next start."""

from __future__ import annotations

from xenvm.cli.run import OK, open_host, usage


def update(domain: str, config: str | None, settings: tuple[str, ...], defconfig: str | None, quiet: bool) -> int:
    """Keeps the configuration for when the guest is made again."""
    from xenvm.cli.create import load, with_host_defaults
    from xenvm.ops import names
    from xenvm.ops.reconfigure import replace_config

    words = settings if config is None else (config, *settings)
    path = words[0] if words and "=" not in words[0] else defconfig
    settings = words if path is defconfig else words[1:]
    if path is None:
        return usage("config-update needs a configuration file")
    with open_host() as host:
        info = names.find_guest(host, domain)
        spec, _ = with_host_defaults(load(path, settings, quiet))
        replace_config(host, info, spec)
    return OK
