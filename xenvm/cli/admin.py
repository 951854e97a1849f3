"""getenforce, setenforce, loadpolicy, dt-overlay, xenstore-quota-get, xenstore-quota-set: what concerns the host."""

from __future__ import annotations

from xenvm.cli.run import open_host, usage
from xenvm.errors import ConfigError
from xenvm.ops import admin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.host.open import Host
    from xenvm.types import Domid

MODES = {"1": True, "0": False, "enforcing": True, "permissive": False}


def getenforce(as_json: bool) -> None:
    """Prints how strict Flask is: Enforcing, Permissive, or Disabled where this Xen has none."""
    with open_host() as host:
        found = admin.enforcing(host)
    mode = "Disabled" if found is None else "Enforcing" if found else "Permissive"
    if not as_json:
        print(mode)
        return
    import json

    print(json.dumps({"version": 1, "flask": mode.lower()}, indent=2))


def setenforce(mode: str) -> None:
    """Makes Flask forbid what its policy does not allow, or only tell of it."""
    if mode.lower() not in MODES:
        raise ConfigError(f"`{mode}' is none of enforcing, permissive, 1 and 0", source="command line")
    with open_host() as host:
        admin.set_enforcing(host, MODES[mode.lower()])


def loadpolicy(file: str) -> None:
    """Has Flask obey another policy."""
    from xenvm.host.admin import LARGEST_POLICY

    policy = read(file, LARGEST_POLICY)
    with open_host() as host:
        admin.load_policy(host, policy)
    print("Successfully loaded policy.")


def dt_overlay(operation: str, file: str, domain: str | None) -> int:
    """Adds an overlay to the device tree that Xen has of the host, takes it out, or gives its devices to a domain."""
    from xenvm.host.admin import LARGEST_OVERLAY
    from xenvm.ops import names

    if (operation == "attach") != (domain is not None):
        return usage("dt-overlay is `add FILE', `remove FILE' or `attach FILE DOMAIN'")
    overlay = read(file, LARGEST_OVERLAY)
    with open_host() as host:
        admin.change_overlay(host, operation, overlay, None if domain is None else names.find(host, domain).domid)
    return 0


def read(path: str, largest: int) -> bytes:
    """The contents of a file; ConfigError that names it."""
    try:
        with open(path, "rb") as file:
            data = file.read(largest + 1)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", source=path) from error
    if len(data) > largest:
        raise ConfigError(f"larger than the {largest} bytes that Xen takes", source=path)
    return data


def quota_get(domain: str | None, everybody: bool, as_json: bool) -> int:
    """Prints the store's quotas: of all domains, or those of one domain's own."""
    if (domain is None) != everybody:
        return usage("xenstore-quota-get takes one domain, or -g")
    with open_host() as host:
        found = admin.quotas(host, _domid(host, domain))
    if as_json:
        import json

        listed = [{"name": name, "value": value} for name, value in found.items()]
        print(json.dumps({"version": 1, "quotas": listed}, indent=2))
        return 0
    rows = [f"{name:<20} {value:8}" for name, value in found.items()]
    print("\n".join(["Quota name           Quota value", "-" * 32, *rows]))
    return 0


def quota_set(words: tuple[str, ...], everybody: bool) -> int:
    """Changes quotas of the store, NAME=NUMBER each, for all domains or for one, which is the first word then."""
    domain, wanted = (None, words) if everybody else (words[0] if words else None, words[1:])
    if not wanted or (domain is None) != everybody:
        return usage("xenstore-quota-set takes one domain, or -g, and NAME=NUMBER...")
    values = dict(map(_quota, wanted))
    with open_host() as host:
        admin.set_quotas(host, _domid(host, domain), values)
    return 0


def _quota(word: str) -> tuple[str, int]:
    from xenvm.guest.numerals import integer

    name, equals, text = word.partition("=")
    if not equals:
        raise ConfigError(f'Quota specification "{word}" lacks "=".', source="command line")
    value = integer(text)
    if value is None or not 0 <= value < 1 << 32:
        raise ConfigError(f'Quota specification "{word}" uses illegal value "{text}".', source="command line")
    return name, value


def _domid(host: Host, domain: str | None) -> Domid | None:
    from xenvm.ops import names

    return None if domain is None else names.find(host, domain).domid
