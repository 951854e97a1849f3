"""What `top` asks: whether to go on, which device, and what the keys are."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_BOX = """
align: center middle;
& > Vertical { width: auto; max-width: 90%; height: auto; max-height: 90%; padding: 0 1; border: round $primary; }
& Static { width: auto; max-width: 100%; }
& OptionList { width: auto; min-width: 30; max-width: 100%; height: auto; max-height: 12; }
"""


class Confirm(ModalScreen[bool]):
    """A question; only `y` is yes."""

    DEFAULT_CSS = f"Confirm {{ {_BOX} }}"
    BINDINGS = [
        Binding("y", "answer(True)", "Yes"),
        Binding("n,escape,q,enter", "answer(False)", "No"),
    ]

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        """The question."""
        with Vertical():
            yield Static(Text(f"{self._question}\n\ny: yes   n: no"))

    def action_answer(self, answer: bool) -> None:
        """Gives the answer."""
        self.dismiss(answer)


class Choose(ModalScreen[int]):
    """One of some lines; its number, -1 if none."""

    DEFAULT_CSS = f"Choose {{ {_BOX} }}"
    BINDINGS = [Binding("escape,q", "dismiss(-1)", "None")]

    def __init__(self, question: str, lines: Sequence[str]) -> None:
        super().__init__()
        self._question, self._lines = question, lines

    def compose(self) -> ComposeResult:
        """The question and the lines."""
        with Vertical():
            yield Static(Text(f"{self._question} (escape: none)"))
            yield OptionList(*(Option(Text(line)) for line in self._lines))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Gives the number of the line."""
        self.dismiss(event.option_index)


class Help(ModalScreen[None]):
    """Some lines, until a key."""

    DEFAULT_CSS = f"Help {{ {_BOX} }}"

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        """The lines."""
        with Vertical():
            yield Static(Text(self._text))

    def on_key(self) -> None:
        """Ends it."""
        self.dismiss(None)
