"""Imports a library without the heavy modules that it only has for what is not used here.

On an emulated or embedded dom0 each module costs about as much as ten hypercalls, and some cost a hundred times that:
``socket`` brings enum, selectors and functools, ``platform`` brings re. A stand-in answers for such a module while the
library is imported; later it brings the module itself, should something of it be used after all. It can as well stand
for a module of our own that only some need.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Deferred:
    """Stands in for a module: has the attributes that it was given, and fetches others from the module itself."""

    def __init__(self, name: str, **known: object) -> None:
        self.__dict__.update(known)
        self.__dict__["_module"] = name

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)  # importlib looks at those of every module that it finds
        _withdraw({self._module: self})
        __import__(self._module)
        return getattr(sys.modules[self._module], attribute)


def load(name: str, stand_ins: Mapping[str, Any], private: bool = False) -> Any:
    """The module `name`; the stand-ins, by the names of modules, are seen by what is imported for the first time.

    Privately, no other importer of the library gets what was imported here. Raises ImportError.
    """
    used = {module: stand_in for module, stand_in in stand_ins.items() if module not in sys.modules}
    before = set(sys.modules)
    sys.modules.update(used)
    try:
        __import__(name)
        return sys.modules[name]
    finally:
        _withdraw(used)
        if private:
            for module in set(sys.modules) - before:
                if module.startswith(name.partition(".")[0] + "."):
                    del sys.modules[module]


def bare_package(name: str) -> Any:
    """A stand-in for a package whose own ``__init__`` is not run. Raises ImportError."""
    found = next((spec for finder in sys.meta_path if (spec := finder.find_spec(name, None))), None)
    if found is None or found.submodule_search_locations is None:
        raise ModuleNotFoundError(f"{name} is not installed", name=name)
    package = type(sys)(name)
    package.__path__ = list(found.submodule_search_locations)
    return package


def _withdraw(stand_ins: Mapping[str, Any]) -> None:
    for module, stand_in in stand_ins.items():
        if sys.modules.get(module) is stand_in:
            del sys.modules[module]
