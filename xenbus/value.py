"""Immutable values with slots, without the price of importing ``dataclasses``.

A type checker sees a frozen dataclass (PEP 681). At run time there is no code generation and no import:
``import dataclasses`` and twelve classes cost more than all hypercalls of a domain creation together, and on an
embedded or emulated dom0 that is most of a second.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Self, dataclass_transform
else:

    def dataclass_transform(**_options):
        return lambda cls: cls


@dataclass_transform(frozen_default=True, eq_default=True)
class _ValueType(type):
    """Turns the annotations of a class body into slots and remembers the defaults."""

    def __new__(mcls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> _ValueType:
        own = [field for field in body.get("__annotations__", ()) if not field.startswith("_")]
        defaults = {field: body.pop(field) for field in own if field in body}
        body["__slots__"] = tuple(own)
        cls = super().__new__(mcls, name, bases, body)
        inherited = next((base for base in bases if isinstance(base, _ValueType)), None)
        cls._fields = (*inherited._fields, *own) if inherited else tuple(own)
        cls._defaults = {**inherited._defaults, **defaults} if inherited else defaults
        # What a value is made with nearly always: positions, and defaults for the last of them.
        cls._puts = [getattr(cls, field).__set__ for field in cls._fields]
        optional = len(cls._fields)
        while optional and cls._fields[optional - 1] in cls._defaults:
            optional -= 1
        cls._last = tuple(cls._defaults[field] for field in cls._fields[optional:])
        return cls

    _fields: tuple[str, ...]
    _defaults: dict[str, Any]
    _puts: list[Any]
    _last: tuple[Any, ...]


class Value(metaclass=_ValueType):
    """Base of frozen values: fields are annotated in the class body, defaults must be immutable."""

    if not TYPE_CHECKING:

        def __init__(self, *args, **given):
            cls = type(self)
            lacking = len(cls._fields) - len(args)
            if not given and 0 <= lacking <= len(cls._last):
                if lacking:
                    args += cls._last[-lacking:]
                for put, value in zip(cls._puts, args, strict=True):
                    put(self, value)
                return
            fields, put = cls._fields, object.__setattr__
            if len(args) > len(fields):
                raise TypeError(f"{cls.__name__} takes {len(fields)} fields, not {len(args)}")
            for field, value in zip(fields, args, strict=False):
                if field in given:
                    raise TypeError(f"{cls.__name__}: field {field!r} is given twice")
                put(self, field, value)
            for field in fields[len(args) :]:
                if field in given:
                    put(self, field, given.pop(field))
                elif field in cls._defaults:
                    put(self, field, cls._defaults[field])
                else:
                    raise TypeError(f"{cls.__name__} needs the field {field!r}")
            if given:
                raise TypeError(f"{cls.__name__} has no field {next(iter(given))!r}")

        def __setattr__(self, field, value):
            raise AttributeError(f"{type(self).__name__}.{field} cannot be changed")

        def __delattr__(self, field):
            raise AttributeError(f"{type(self).__name__}.{field} cannot be removed")

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed."""
        return type(self)(**{**self.as_dict(), **changes})

    def as_dict(self) -> dict[str, Any]:
        """The fields in the order of their declaration."""
        return {field: getattr(self, field) for field in type(self)._fields}

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and _key(other) == _key(self)

    def __hash__(self) -> int:
        return hash((type(self), _key(self)))

    def __repr__(self) -> str:
        body = ", ".join(f"{field}={value!r}" for field, value in self.as_dict().items())
        return f"{type(self).__name__}({body})"

    def __copy__(self) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(self.as_dict().values())


def _key(value: Any) -> tuple[Any, ...]:
    return tuple(getattr(value, field) for field in type(value)._fields)
