"""How settings are read: xl's rules of access, with a finding wherever xl would silently make another guest."""

from __future__ import annotations

from xenvm.errors import ConfigError
from xenvm.guest.cfg import Atom, Config, Diagnostic, ListValue
from xenvm.guest.numerals import integer, is_octal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from xenvm.guest.cfg import Setting

_RULES = {"disk": "XV030", "vif": "XV031", "cpus": "XV026", "cpus_soft": "XV026"}
LARGEST = (1 << 31) - 1
"""The largest number that xl keeps of a setting."""


class Reader:
    """Reads settings by key and type, and gathers what is wrong with them.

    What xl reports on its error output and then ignores (a list for a string, a number that is none) is an error if
    `strict`; otherwise a warning, and the setting counts as not given, which is what xl does.
    """

    def __init__(self, config: Config, strict: bool = True) -> None:
        self.config = config
        self.found: list[Diagnostic] = list(config.warnings)
        self._doubt = "error" if strict else "warning"

    def atom(self, key: str) -> Atom | None:
        """A single value; None if the key is missing or a list."""
        setting = self.config.settings.get(key)
        if setting is None:
            return None
        if isinstance(setting.value, ListValue):
            self._report(self._doubt, key, f"`{key}' is a list but must be a single value", setting.value, "XV020")
            return None
        return setting.value

    def text(self, key: str) -> str | None:
        """A string, or a number as it is written; None if the key is missing or a list."""
        atom = self.atom(key)
        return None if atom is None else atom.text

    def path(self, key: str) -> str | None:
        """A string that is not empty, or None."""
        return self.text(key) or None

    def number(self, key: str, low: int = 0, high: int = LARGEST) -> int | None:
        """A number within `low`..`high`, or None if the key is missing or wrong."""
        atom = self.atom(key)
        if atom is None:
            return None
        if self.config.settings[key].added:
            self._report(self._doubt, key, f"`{key}' is a number, which += cannot make", atom, "XV025")
            return None
        value = integer(atom.text)
        if value is None:
            self._report(self._doubt, key, f"`{key}' is not a valid number: `{atom.text}'", atom, "XV022")
            return None
        if is_octal(atom.text):
            octal = f"`{key}' begins with a zero and is octal: {atom.text} is {value}"
            self._report("warning", key, octal, atom, "XV023")
        if not low <= value <= high:
            self.error(key, f"`{key}' must be {low} to {high}, not {value}", atom, "XV024")
            return None
        return value

    def atoms(self, key: str) -> tuple[Atom, ...]:
        """The strings of a list; empty if the key is missing. A list within the list ends it, as for xl."""
        setting = self.config.settings.get(key)
        if setting is None:
            return ()
        if isinstance(setting.value, Atom):
            wanted = f"`{key}' is a single value but must be a list: {key}=['{setting.value.text}']"
            self._report(self._doubt, key, wanted, setting.value, "XV020")
            return ()
        atoms = []
        for item in setting.value.items:
            if not isinstance(item, Atom):
                inner = f"`{key}' holds a list within the list, where a string belongs"
                self._report(self._doubt, key, inner, item, "XV021")
                break
            atoms.append(item)
        return tuple(atoms)

    def lists(self, key: str) -> tuple[tuple[Atom, ...], ...]:
        """The strings of each list of a list; empty if the key is missing."""
        setting = self.config.settings.get(key)
        if setting is None:
            return ()
        items = () if isinstance(setting.value, Atom) else setting.value.items
        found = [item.items for item in items if isinstance(item, ListValue)]
        if isinstance(setting.value, Atom) or len(found) != len(items):
            wanted = f"`{key}' must be a list of lists: {key}=[['...', '...']]"
            self._report(self._doubt, key, wanted, setting.value, "XV020")
        return tuple(tuple(atom for atom in inner if isinstance(atom, Atom)) for inner in found)

    def has_list(self, key: str) -> bool:
        """Whether the key is set to a list, for keys that may be a list or a string."""
        setting = self.config.settings.get(key)
        return setting is not None and isinstance(setting.value, ListValue)

    def error(self, key: str, message: str, at: Atom | ListValue | None = None, rule: str = "XV026") -> None:
        """Records an error at a value, by default that of `key`; without a place if the key is missing."""
        self._report("error", key, message, at, rule)

    def warn(self, key: str, message: str, at: Atom | ListValue | Setting | None = None, rule: str = "XV015") -> None:
        """Records a warning."""
        self._report("warning", key, message, at, rule)

    def fail(self, key: str, error: ConfigError, at: Atom) -> None:
        """Records an error that another parser raised about a value."""
        self._report("error", key, error.reason, at, _RULES.get(key, "XV032"))

    def place(self, at: Atom) -> tuple[int, int]:
        """Line and column of a value in the file; (0, 0) if it is from the command line."""
        return (at.line, at.column) if at.line <= self.config.file_lines else (0, 0)

    def places(self) -> Mapping[str, tuple[int, int]]:
        """Line and column of each setting that the file makes."""
        lines = self.config.file_lines
        return {key: (found.line, found.column) for key, found in self.config.settings.items() if found.line <= lines}

    def _report(self, severity: str, key: str, message: str, at: Atom | ListValue | Setting | None, rule: str) -> None:
        setting = self.config.settings.get(key)
        if at is None and setting is not None:
            at = setting.value
        source, line = self.config.place(at.line) if at else (self.config.source, 0)
        self.found.append(Diagnostic(severity, message, source, line, at.column if at else 0, key, rule))
