"""The face of `top`, on the library textual: a table of domains, the devices of one of them, and keys.

It never asks the host: see top_worker. Whatever comes from the host is shown as Text, never as markup.
"""

from __future__ import annotations

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.coordinate import Coordinate
from textual.widgets import DataTable, Input, Static

from xenbus.errors import XenbusError
from xenvm.cli.console import attach
from xenvm.cli.top_dialogs import Choose, Confirm, Help
from xenvm.cli.top_worker import Died, Lost, Said, Seen, Worker
from xenvm.errors import XenvmError
from xenvm.ops import top_act
from xenvm.ops.top import ORDERS, Row, arranged, escaped, summary, totals
from xenvm.ops.top_look import Looker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

    from xenbus.value import Value
    from xenvm.host.open import Host
    from xenvm.ops.top import Device
    from xenvm.types import Domid

WAIT_SECONDS = 5.0
"""How long a guest may take to hear of a shutdown, or to let a device go: nothing is looked at meanwhile."""
_COLUMNS = ("Name", "ID", "State", "CPU %", "CPU(s)", "Mem MiB", "VCPUs", "Devices")
_COLOURS = {"running": "green", "paused": "yellow", "crash": "red", "watchdog": "red", "dying": "red"}
_HELP = """\
up, down   choose a domain          s   sort by the next column
p          pause                    /   filter by name or domid
u          unpause                  r   look again at once
S          shut down                h,? this help
K          destroy (asks first)     q   quit
d          detach a device (asks first)
c, enter   console; ^] comes back

CPU % is of one CPU, since the look before."""


def run(host: Host, delay: float) -> None:
    """Shows the host until the user leaves. Raises what keeps it from being asked at all."""
    Looker(host).look()
    app = TopApp(host, delay)
    try:
        app.run()
    finally:
        app.finish()
    if app.failure is not None:
        raise app.failure


class Domains(DataTable[Text]):
    """The table; home and end are those of the rows."""

    BINDINGS = [Binding("home", "scroll_top", "First"), Binding("end", "scroll_bottom", "Last")]


class TopApp(App[None]):
    """The table and its keys."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #totals { height: 1; background: $primary; color: $text; }
    #lost { height: auto; max-height: 3; background: $error; color: $text; display: none; }
    #domains { height: 1fr; min-height: 2; }
    #devices { height: auto; max-height: 6; }
    #said { height: auto; min-height: 1; max-height: 3; }
    #keys { height: 1; }
    #filter { height: 1; border: none; padding: 0; display: none; }
    """
    BINDINGS = [
        Binding("p", "pause", "Pause"),
        Binding("u", "unpause", "Unpause"),
        Binding("S", "shut_down", "Shut down"),
        Binding("K", "destroy", "Destroy"),
        Binding("d", "detach", "Detach"),
        Binding("c", "console", "Console"),
        Binding("s", "sort", "Sort"),
        Binding("slash", "filter", "Filter"),
        Binding("escape", "no_filter", "All"),
        Binding("r", "look", "Look"),
        Binding("h,question_mark", "help", "Help"),
        Binding("q", "quit", "Quit"),
        Binding("ctrl+c", "quit", "Quit", priority=True),
    ]

    def __init__(self, host: Host, delay: float) -> None:
        super().__init__()
        self.failure: Exception | None = None
        """What ended the thread that asks the host."""
        self._host, self._rows = host, list[Row]()
        self._shown: list[Row] = []
        self._order, self._wanted = "id", ""
        self._free: Event | None = None
        """While a console is to be opened, or is: what lets the thread go on."""
        self.worker = Worker(host, self._told, delay)

    def compose(self) -> ComposeResult:
        """What is on the screen, from the top."""
        yield Static(id="totals")
        yield Static(id="lost")
        yield Domains(id="domains", cursor_type="row", zebra_stripes=True)
        yield Static(id="devices")
        yield Static(id="said")
        yield Input(placeholder="name or domid; escape: all", id="filter")
        yield Static(Text("h help  p pause  u unpause  S shutdown  K destroy  d detach  c console  q quit"), id="keys")

    def on_mount(self) -> None:
        """Starts the thread that asks the host."""
        self._table.add_columns(*_COLUMNS)
        self._table.focus()
        self.worker.start()

    def finish(self) -> None:
        """Ends that thread."""
        if self.worker.is_alive():
            self.worker.stop()

    @property
    def _table(self) -> Domains:
        return self.screen_stack[0].query_one("#domains", Domains)

    def _part(self, name: str) -> Static:
        return self.screen_stack[0].query_one(f"#{name}", Static)

    # What the thread tells.

    def _told(self, news: Value) -> None:
        """Called in the thread."""
        self._in_face(self._take, news)

    def _in_face(self, call: Callable[..., object], *arguments: object) -> None:
        """Called in the thread: has something done in the face's own, and does not wait for it."""
        try:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:
            pass  # The face has gone.

    def _take(self, news: Value) -> None:
        if not self.is_running or not self.screen_stack:
            return
        if isinstance(news, Seen):
            self._rows = news.rows
            self._part("lost").display = False
            self._show()
        elif isinstance(news, Said):
            self._say(news.text, news.wrong)
        elif isinstance(news, Lost):
            self._part("lost").update(Text(f"{news.text}; trying again, what is shown is old"))
            self._part("lost").display = True
        elif isinstance(news, Died):
            self.failure = news.error
            self.exit()

    def _say(self, text: str, wrong: bool = False) -> None:
        self._part("said").update(Text(text, style="red" if wrong else ""))

    # Showing.

    def _show(self) -> None:
        """Brings the table up to date; the chosen domain stays chosen."""
        found = arranged(self._rows, self._order, self._wanted)
        table, chosen = self._table, self._chosen()
        if [row.key for row in found] == [row.key for row in self._shown]:
            self._update(found)
        else:
            table.clear()
            for row in found:
                table.add_row(*_cells(row))
        self._shown = found
        keys = [row.key for row in found]
        if chosen is not None and chosen.key in keys:
            table.move_cursor(row=keys.index(chosen.key), animate=False)
        note = f" | sorted by {self._order}" + (f" | filter: {escaped(self._wanted)}" if self._wanted else "")
        self._part("totals").update(Text(totals(self._rows) + note))
        self._show_devices()

    def _update(self, found: list[Row]) -> None:
        """Changes the cells that are not what they were."""
        for number, (old, new) in enumerate(zip(self._shown, found, strict=True)):
            if old == new:
                continue
            for column, (before, now) in enumerate(zip(_cells(old), _cells(new), strict=True)):
                if before != now:
                    self._table.update_cell_at(Coordinate(number, column), now, update_width=True)

    def _show_devices(self) -> None:
        row = self._chosen()
        lines = [] if row is None else [f"  {device.name}: {device.states}" for device in row.devices]
        title = "" if row is None else f"{row.name}: {'devices' if lines else 'no devices'}"
        self._part("devices").update(Text("\n".join([title, *lines])))

    def on_data_table_row_highlighted(self) -> None:
        """Another domain was chosen."""
        if self._table.row_count == len(self._shown):
            self._show_devices()

    def on_data_table_row_selected(self) -> None:
        """Enter."""
        self.action_console()

    def _chosen(self) -> Row | None:
        at = self._table.cursor_row
        return self._shown[at] if 0 <= at < len(self._shown) else None

    # Keys.

    def _do(self, doing: str, done: str, act: Callable[[Host, Row], list[str] | None]) -> None:
        row = self._chosen()
        if row is None:
            return
        self._say(f"{doing} {row.name} ...")

        def job(host: Host) -> str:
            troubles = act(host, row) or []
            return "; ".join([f"{row.name} {done}", *troubles])

        self.worker.do(job)

    def action_pause(self) -> None:
        """Pauses the chosen domain."""
        self._do("pausing", "is paused", lambda host, row: top_act.pause(host, row.key))

    def action_unpause(self) -> None:
        """Lets it run."""
        self._do("unpausing", "runs", lambda host, row: top_act.unpause(host, row.key))

    def action_shut_down(self) -> None:
        """Asks it to power off."""
        self._do("asking", "will shut down", lambda host, row: top_act.shut_down(host, row.key, WAIT_SECONDS))

    def action_destroy(self) -> None:
        """Ends it, if the user is sure."""
        row = self._chosen()
        if row is not None:
            question = f"Destroy {row.name} (domain {row.info.domid})? It ends at once."
            self.push_screen(Confirm(question), lambda sure: self._destroy(row) if sure else None)

    def _destroy(self, row: Row) -> None:
        self._say(f"destroying {row.name} ...")
        self.worker.do(lambda host: "; ".join([f"{row.name} is destroyed", *top_act.destroy(host, row.key)]))

    def action_detach(self) -> None:
        """Takes a device away: which one, and whether really."""
        row = self._chosen()
        devices = () if row is None else tuple(dev for dev in row.devices if dev.record.kind in ("vbd", "vif"))
        if row is None or not devices:
            self._say("there is no disk or vif to detach", True)
            return

        def chosen(number: int | None) -> None:
            if number is None or number < 0:
                return
            device = devices[number]
            question = f"Detach {device.name} of {row.name}?"
            self.push_screen(Confirm(question), lambda sure: self._take_away(row, devices[number]) if sure else None)

        lines = [f"{device.name}: {device.states}" for device in devices]
        self.push_screen(Choose(f"Detach which device of {row.name}?", lines), chosen)

    def _take_away(self, row: Row, device: Device) -> None:
        def job(host: Host) -> str:
            top_act.detach(host, row.key, device.record, WAIT_SECONDS)
            return f"{device.name} of {row.name} is detached"

        self._say(f"detaching {device.name} of {row.name} ...")
        self.worker.do(job)

    def action_console(self) -> None:
        """Leaves the screen to the console of the chosen domain."""
        row = self._chosen()
        if row is None or row.info.domid == 0:
            self._say("domain 0 has no console here", True)
        elif self._free is None:
            self._say(f"opening the console of {row.name} ...")
            self._free = self.worker.park(lambda: self._in_face(self._console, row))

    def _console(self, row: Row) -> None:
        """Connects this terminal to a console while the thread waits; all but the console stands still."""
        said, wrong = f"back from the console of {row.name}", False
        try:
            info = top_act.present(self._host, row.key)
            with self.suspend():
                _attach(self._host, info.domid, row.name)
        except (XenvmError, XenbusError, OSError) as error:
            said, wrong = escaped(str(error)), True
        finally:
            if self._free is not None:
                self._free.set()
            self._free = None
        self._say(said, wrong)
        self.refresh()

    def action_sort(self) -> None:
        """The next order."""
        self._order = ORDERS[(ORDERS.index(self._order) + 1) % len(ORDERS)]
        self._show()

    def action_filter(self) -> None:
        """Asks what names are to have in them."""
        self.query_one("#filter", Input).display = True
        self.query_one("#filter", Input).focus()

    def action_no_filter(self) -> None:
        """Shows all again."""
        self.query_one("#filter", Input).value = ""
        self.on_input_submitted()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filters while it is typed."""
        self._wanted = event.value
        self._show()

    def on_input_submitted(self) -> None:
        """Keeps the filter."""
        self.query_one("#filter", Input).display = False
        self._table.focus()

    def action_look(self) -> None:
        """Looks again."""
        self.worker.do(lambda _host: "")

    def action_help(self) -> None:
        """Shows the keys."""
        self.push_screen(Help(_HELP))


def _attach(host: Host, domid: Domid, name: str) -> None:
    print(f"Console of {name}; ^] comes back to top.", flush=True)
    attach(host, domid)


def _cells(row: Row) -> tuple[Text, ...]:
    info = row.info
    percent = "-" if row.percent is None else f"{row.percent:.1f}"
    numbers = (percent, f"{info.cpu_time / 1e9:.1f}", str(row.memory_mib), str(info.nr_online_vcpus))
    return (
        Text(row.name[:40]),
        Text(str(info.domid), justify="right"),
        Text(row.state, style=_COLOURS.get(row.state, "")),
        *(Text(number, justify="right") for number in numbers),
        Text(summary(row.devices)),
    )
