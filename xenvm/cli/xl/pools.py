"""Subcommands about cpupools and schedulers, in xl's words and with its exit codes."""

from __future__ import annotations

from xenvm.cli.xl.own import ERROR_INVAL
from xenvm.cli.xl.shim import FAILED, tell
from xenvm.errors import ConfigError, DomainError, DomainExists, HypercallError, NoSuchDomain, NoSuchPool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.cli.xl.shim import Call


def plain(call: Call) -> int:
    """One cpupool, which xl does not find in its own words."""
    try:
        return min(call.native(), FAILED)
    except NoSuchPool as error:
        return unknown(error)


def unknown(error: NoSuchPool) -> int:
    """What xl says of a cpupool that is not there."""
    return tell(f"unknown cpupool '{error.who}'")


def schedule(call: Call) -> int:
    """xl takes no notice of further words, and its complaints are ours."""
    try:
        return min(call.native([]), FAILED)
    except NoSuchPool as error:
        return unknown(error)
    except ConfigError as error:
        return tell(error.reason)


def rtds(call: Call) -> int:
    """xl wants all three numbers for each vCPU, and complains in an order of its own."""
    given = {letter: [value for each, value in call.given if each == letter] for letter in "vpbec"}
    vcpus, numbers = [value for value in given["v"] if value != "all"], [given[letter] for letter in "pbe"]
    if any(value not in ("0", "1") for value in given["e"]):
        return tell("Invalid extratime.")
    if given["c"] and (call.has("d") or given["v"] or any(numbers)):
        return tell("Specifying a cpupool is not allowed with other options.")
    if not call.has("d") and (vcpus or any(numbers)):
        return tell("Missing parameters.")
    if call.has("d") and not given["v"] and any(numbers):
        return tell("Must specify VCPU.")
    if vcpus and len(vcpus) < len(given["v"]):
        return tell("Incorrect VCPU IDs.")
    if len({*map(len, numbers)}) > 1 or 0 < len(numbers[0]) < len(vcpus):
        return tell("Incorrect number of period, budget and extratime")
    # What is too many, xl does not use.
    most, counts = max(len(vcpus), 1), dict.fromkeys("vpbe", 0)
    kept = []
    for letter, value in call.given:
        counts[letter] = counts.get(letter, 0) + 1
        if letter not in "vpbe" or counts[letter] <= most:
            kept.append((letter, value))
    call.given = kept
    return schedule(call)


def migrate(call: Call) -> int:
    """xl has a word of its own for a domain that is not there."""
    try:
        return plain(call)
    except NoSuchDomain as error:
        return tell(f"unknown domain '{error.who}'")


def cpu_add(call: Call) -> int:
    """Where some CPUs cannot be given, xl says so and ends with 0."""
    return _change(call, "some cpus may not have been added to {0}")


def cpu_remove(call: Call) -> int:
    """Where some CPUs cannot be taken, xl says so and ends with 0."""
    return _change(
        call,
        "Some cpus may have not or only partially been removed from '{0}'.\n"
        "If a cpu can't be added to another cpupool, add it to '{0}' again and retry.",
    )


def _change(call: Call, warning: str) -> int:
    pool, cpus = call.operands[:2]
    try:
        return plain(call)
    except ConfigError:
        return tell(f"Invalid pcpu range: {cpus}.")
    except DomainError as error:
        tell(f"xl: {error}")
        return tell(warning.format(pool), 0)


def create(call: Call) -> int:
    """Ends with 1 where a scheduler is named or nothing can be read, and else with libxl's number."""
    files = [word for word in call.operands if "=" not in word]
    files += [value for letter, value in call.given if letter == "f"]
    settings = [word for word in call.operands if "=" in word]
    if len(files) > 1:
        return tell("xl: more than one configuration is given")
    call.given = [("n", "")] if call.dry or call.has("n") else []
    later = FAILED if any(word.startswith("sched") for word in settings) else ERROR_INVAL
    try:
        return min(call.native([*files, *settings]), FAILED)
    except DomainExists:
        return tell(f'Pool name "{_name(settings)}" already exists')
    except ConfigError as error:
        tell(f"xl: {error}")
        return tell("Missing cpupool name!") if "needs a name" in error.reason else FAILED
    except DomainError as error:
        return tell(f"xl: {error}", later)
    except HypercallError as error:
        tell(f"xl: {error}")
        return tell("error on creating cpupool", later)


def _name(settings: list[str]) -> str:
    named = [word.partition("=")[2].strip("\"' ") for word in settings if word.partition("=")[0].strip() == "name"]
    return named[-1] if named else ""
