"""Specifications as JSON values and back, whatever fields they have: what a restart makes the same guest from."""

from __future__ import annotations

from xenbus.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from xenvm.guest.jsontext import Json

_KIND, _SET = "kind", "set"
_HOME = "xenvm.guest."
"""The package whose values can be kept."""


def freeze(value: Any) -> Json:
    """JSON of a specification; fields that have their default are left out."""
    if isinstance(value, Value):
        defaults = type(value)._defaults
        fields = {key: item for key, item in value.as_dict().items() if key not in defaults or defaults[key] != item}
        kind = f"{type(value).__module__.removeprefix(_HOME)}.{type(value).__name__}"
        return {_KIND: kind, **{key: freeze(item) for key, item in fields.items()}}
    if isinstance(value, frozenset):
        return {_SET: [freeze(item) for item in sorted(value)]}
    if isinstance(value, tuple | list):
        return [freeze(item) for item in value]
    if isinstance(value, dict):
        return {str(key): freeze(item) for key, item in value.items()}
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"{type(value).__name__} cannot be kept")


def thaw(json: Any) -> Any:
    """What `freeze` was given. Fields that are not known any more are passed over; ValueError for anything else."""
    if isinstance(json, list):
        return tuple(map(thaw, json))
    if not isinstance(json, dict):
        return json
    if set(json) == {_SET}:
        return frozenset(map(thaw, json[_SET]))
    if _KIND not in json:
        return {key: thaw(item) for key, item in json.items()}
    cls = _class(json[_KIND])
    try:
        return cls(**{key: thaw(item) for key, item in json.items() if key in cls._fields})
    except TypeError as error:
        raise ValueError(str(error)) from error


def _class(kind: object) -> type[Value]:
    module, _, name = str(kind).partition(".")
    try:
        found = getattr(__import__(_HOME + module, fromlist=[name]), name) if module.isidentifier() else None
    except (ImportError, AttributeError):
        found = None
    if not (isinstance(found, type) and issubclass(found, Value)):
        raise ValueError(f"{kind!r} is no part of a specification")
    return found
