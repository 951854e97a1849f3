"""Specifications as JSON values and back, whatever fields they have: what a restart makes the same guest from."""

from __future__ import annotations

from xenbus.value import Value
from xenvm.guest import spec as specs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from xenvm.guest.jsontext import Json

_KIND, _SET = "kind", "set"


def freeze(value: Any) -> Json:
    """JSON of a value of guest/spec.py; fields that have their default are left out."""
    if isinstance(value, Value):
        defaults = type(value)._defaults
        fields = {key: item for key, item in value.as_dict().items() if key not in defaults or defaults[key] != item}
        return {_KIND: type(value).__name__, **{key: freeze(item) for key, item in fields.items()}}
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
    cls = getattr(specs, str(json[_KIND]), None)
    if not (isinstance(cls, type) and issubclass(cls, Value)):
        raise ValueError(f"{json[_KIND]!r} is no part of a specification")
    try:
        return cls(**{key: thaw(item) for key, item in json.items() if key in cls._fields})
    except TypeError as error:
        raise ValueError(str(error)) from error
