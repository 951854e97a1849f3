"""A plan as text for people and pagers, and as JSON for programs."""

from __future__ import annotations

from xenbus.escape import escape
from xenvm.cli.run import exit_code
from xenvm.errors import ConfigError
from xenvm.guest.cfg import ConfigErrors, Diagnostic
from xenvm.ops.steps import HOST, HYPERCALL, STORE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from xenvm.cli.plan import Verdict
    from xenvm.errors import ImageError
    from xenvm.ops.plan import Area, Plan
    from xenvm.ops.steps import Step

    Numbered = tuple[int, Step]

_ADDRESSES = ("first", "gfn", "start", "pc", "dtb")
"""Arguments that are shown in hexadecimal, as very large numbers are."""
_TITLES = {
    "summary": "SUMMARY",
    "memory": "MEMORY of the guest",
    "hypercalls": "HYPERCALLS, by their place among all steps",
    "store": "STORE: what is written, by the place among all steps",
    "dom0": "DOMAIN 0: what is done besides",
    "dts": "DEVICE TREE",
}


_KINDS = {"hypercalls": HYPERCALL, "store": STORE, "dom0": HOST}


def as_text(verdict: Verdict, sections: Sequence[str]) -> Iterator[str]:
    """Lines: sections with titles, or a single one as it is, for other programs."""
    parts: dict[str, Callable[[Plan], Iterable[str]]] = {
        "memory": _memory,
        "hypercalls": _hypercalls,
        "store": _store,
        "dom0": _dom0,
        "dts": _dts,
    }
    for number, section in enumerate(sections):
        if section == "summary":
            lines: Iterable[str] = _summary(verdict)
        elif verdict.plan is None:
            continue
        else:
            lines = parts[section](verdict.plan)
        if len(sections) == 1:
            yield from lines
            return
        yield from ("",) * bool(number)
        yield _TITLES[section]
        yield from (f"  {line}".rstrip() for line in lines)


def _summary(verdict: Verdict) -> Iterator[str]:
    plan = verdict.plan
    yield f"verdict   {verdict.word}" + (f": {verdict.conflict}" if verdict.conflict else "")
    if plan is None:
        yield f"host      {verdict.where}"
        return
    spec, ground = plan.spec, plan.ground
    xen = ".".join(map(str, ground.facts.release))
    yield f"host      {verdict.where}: Xen {xen}, GICv{ground.gic}, {ground.facts.gpaddr_bits}-bit guest addresses"
    vcpus = f"{spec.maxvcpus} vCPU{'s' * (spec.maxvcpus != 1)}"
    yield f"guest     {spec.name}: {plan.bits}-bit, {vcpus}, {_size(spec.maxmem * 1024)}"
    yield f"memory    {plan.need // 1024} MiB of the host's, with page tables"
    if verdict.defaults:
        yield f"xl.conf   {', '.join(verdict.defaults)}"
    yield f"run time  chosen only then: {', '.join(plan.stand_ins)}"


def _memory(plan: Plan) -> Iterator[str]:
    ranges = [area for area in plan.memory if area.what == "RAM"]
    for area in sorted(plan.memory, key=lambda area: (area.start, -area.size)):
        inside = any(ram.start <= area.start < ram.start + ram.size for ram in ranges if ram is not area)
        end = area.start + area.size - 1
        yield f"{area.start:#013x} - {end:#013x} {_size(area.size):>14}  {'  ' * inside}{area.what}"


def _size(size: int) -> str:
    for unit, shift in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if size and not size & ((1 << shift) - 1):
            return f"{size >> shift} {unit}"
    return f"{size} bytes"


def _of(plan: Plan, kind: str) -> Iterator[Numbered]:
    return ((number, step) for number, step in enumerate(plan.steps, 1) if step.kind == kind)


def _hypercalls(plan: Plan) -> Iterator[str]:
    for number, step in _of(plan, HYPERCALL):
        beside = "  (by a thread, from the rings on)" if step.beside else ""
        yield f"{number:>4}  {step.operation:<18}{' '.join(_words(step.arguments))}".rstrip() + beside


def _words(arguments: Mapping[str, object]) -> Iterator[str]:
    """``name=value``; nested arguments without their own name, nothing of what was not given."""
    for name, value in arguments.items():
        if isinstance(value, dict):
            yield from _words(value)
        elif value not in (None, ""):
            yield f"{name}={_word(name, value)}"


def _word(name: str, value: object) -> str:
    if isinstance(value, list):
        return ",".join(f"{item:#x}" if item > 0xFFF else str(item) for item in value)
    large = isinstance(value, int) and (name in _ADDRESSES or name.endswith("_pfn") or value > 0xFFFFFFFF)
    return f"{value:#x}" if large else str(value)


def _store(plan: Plan) -> Iterator[str]:
    transaction = 0
    for number, step in _of(plan, STORE):
        if step.transaction != transaction:
            transaction = step.transaction
            yield f"      {f'transaction {transaction}' if transaction else 'without a transaction'}:"
        yield f"{number:>4}  {_request(step)}"


def _request(step: Step) -> str:
    of = step.arguments
    if step.operation != "write":
        return f"{step.operation} {' '.join(_words(of)) if 'path' not in of else of['path']}"
    value = f"({step.at_run_time})"
    if not step.at_run_time:
        value = f'"{escape(str(of["value"]).encode("utf-8", "surrogateescape"))}"'
    return f"{of['path']} = {value}   ({of['permissions']})"


def _dom0(plan: Plan) -> Iterator[str]:
    for number, step in _of(plan, HOST):
        yield f"{number:>4}  {step.operation}: {' '.join(_words(step.arguments))}"


def _dts(plan: Plan) -> list[str]:
    return _tree(plan).splitlines()


def _tree(plan: Plan) -> str:
    """Source, with a comment in the place of the seed of random numbers."""
    from xenvm.guest.fdtblob import to_dts

    before, found, rest = to_dts(plan.tree).partition("\t\trng-seed = ")
    if not found:
        return before
    return f"{before}\t\t/* rng-seed: random bytes, chosen at run time */\n{rest.partition(chr(10))[2]}"


def invalid_json(error: ConfigError | ImageError) -> dict[str, object]:
    """What is wrong with a guest, each thing for itself, as JSON has it."""
    found = list(_errors(error))
    return {
        "verdict": "invalid",
        "reasons": [*map(str, found), *getattr(error, "__notes__", ())],
        "findings": [each.as_dict() for each in found],
    }


def _errors(error: ConfigError | ImageError) -> Iterator[Diagnostic]:
    if isinstance(error, ConfigErrors):
        yield from (each for each in error.diagnostics if each.severity == "error")
    elif isinstance(error, ConfigError):
        yield Diagnostic("error", error.reason, error.source, error.line, error.column)
    else:
        yield Diagnostic("error", error.reason, error.path)


def as_json(verdict: Verdict, sections: Sequence[str]) -> dict[str, object]:
    """As JSON has it; docs/plan.md has the schema."""
    plan, conflict = verdict.plan, verdict.conflict
    fields: dict[str, object] = {"verdict": verdict.word}
    if conflict is not None:
        fields["reasons"] = [str(conflict)]
        fields["findings"] = [Diagnostic("error", str(conflict)).as_dict()]
        fields["create_would_exit_with"] = exit_code(conflict)
    if plan is None:
        return {**fields, "host": {"which": verdict.where}}
    if "summary" in sections:
        fields |= {"host": _host(verdict.where, plan), "guest": _guest(plan), "xl_conf": list(verdict.defaults)}
    if "memory" in sections:
        fields["memory"] = [_area(area) for area in plan.memory]
    kinds = [kind for section, kind in _KINDS.items() if section in sections]
    if kinds:
        numbered = enumerate(plan.steps, 1)
        fields["steps"] = [_step(number, step) for number, step in numbered if step.kind in kinds]
    if "dts" in sections:
        fields["dts"] = _tree(plan)
    return fields


def _host(where: str, plan: Plan) -> dict[str, object]:
    facts = plan.ground.facts
    xen = ".".join(map(str, facts.release))
    return {"which": where, "xen": xen, "gic": plan.ground.gic, "gpaddr_bits": facts.gpaddr_bits}


def _guest(plan: Plan) -> dict[str, object]:
    return {
        "name": plan.spec.name,
        "domid": plan.domid,
        "uuid": plan.spec.uuid,
        "bits": plan.bits,
        "vcpus": plan.spec.maxvcpus,
        "memory_kib": plan.spec.maxmem,
        "host_memory_kib": plan.need,
        "stand_ins": list(plan.stand_ins),
    }


def _area(area: Area) -> dict[str, object]:
    return {"start": area.start, "size": area.size, "what": area.what}


def _step(number: int, step: Step) -> dict[str, object]:
    fields: dict[str, object] = {"step": number, "kind": step.kind, "operation": step.operation}
    if step.kind == STORE:
        fields["transaction"] = step.transaction
    fields["arguments"] = dict(step.arguments)
    if step.beside:
        fields["beside"] = True
    if step.at_run_time:
        fields["at_run_time"] = step.at_run_time
    return fields
