"""Lines from a terminal: prompt, editing, history and completion, with readline where Python has it."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from xenvm.cli.store.session import Session

HISTORY_MAX = 5000


class Lines:
    """An iterator of lines; a context manager that keeps the history."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._matches: list[str] = []
        self._readline = _readline()

    def __enter__(self) -> Lines:
        if self._readline is not None:
            _load_history(self._readline)
            self._readline.set_completer(self.complete)
            self._readline.set_completer_delims(" \t\n")
            libedit = "libedit" in (self._readline.__doc__ or "")
            self._readline.parse_and_bind("bind ^I rl_complete" if libedit else "tab: complete")
        return self

    def __exit__(self, *exc: object) -> None:
        if self._readline is not None:
            _save_history(self._readline)
            self._readline.set_completer(None)

    def __iter__(self) -> Iterator[str]:
        while True:
            self._session.rest()
            try:
                yield input(self.prompt())
            except KeyboardInterrupt:
                print("^C")
            except EOFError:
                print()
                return

    def ask(self, reason: str) -> bool:
        """Whether to go on; the answer stays out of the history."""
        print(f"{reason}.")
        try:
            answer = input("Go on? [y/N] ").strip()
        except EOFError:
            return False
        if answer and self._readline is not None and self._readline.get_current_history_length():
            self._readline.remove_history_item(self._readline.get_current_history_length() - 1)
        return answer.lower() in ("y", "yes")

    def prompt(self) -> str:
        """Where one stands, in which transaction, and with whose eyes."""
        session = self._session
        parts = [(session.cwd or "/", "1;34")]
        if session.view is not None:
            parts.append((f" as {session.view}", "35"))
        if session.tx is not None:
            parts.append((f" tx {session.tx.id}", "33"))
        return "".join(self._coloured(*part) for part in parts) + "> "

    def _coloured(self, text: str, code: str) -> str:
        if not self._session.paint.on:
            return text
        if self._readline is None:
            return self._session.paint.text(text, code)
        return f"\x01\x1b[{code}m\x02{text}\x01\x1b[0m\x02"  # readline must know what takes no room on the screen

    def complete(self, text: str, state: int) -> str | None:
        """readline's completer: commands first, then live paths."""
        if state == 0:
            self._matches = self._find(text)
        return self._matches[state] if state < len(self._matches) else None

    def _find(self, text: str) -> list[str]:
        from xenvm.cli.store.shell import complete
        from xenvm.cli.store.words import rows

        if self._readline is not None and self._readline.get_begidx() == 0:
            names = [row.name for row in rows()]
            return [f"{name} " for name in names if name.startswith(text)]
        return complete(self._session, text)


def _readline() -> Any:
    if not sys.stdout.isatty():
        return None
    try:
        import readline
    except ImportError:
        return None
    return readline


def history_file() -> str:
    """Where the history is kept: in the user's folder for state."""
    folder = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(folder, "xenvm", "store_history")


def _load_history(readline: Any) -> None:
    readline.set_history_length(HISTORY_MAX)
    try:
        readline.read_history_file(history_file())
    except OSError:
        pass  # There is none yet, or it cannot be read: the shell works without it.


def _save_history(readline: Any) -> None:
    """Keeps the history for this user alone: it has values in it."""
    path = history_file()
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        os.chmod(path, 0o600)
        before = os.umask(0o077)
        try:
            readline.write_history_file(path)
        finally:
            os.umask(before)
    except OSError:
        pass  # A folder that cannot be written is no reason to fail.
