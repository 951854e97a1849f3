"""Work beside the main thread, for hypercalls and copies that take long and leave the processor's other cores idle."""

from __future__ import annotations

from _thread import allocate_lock, start_new_thread  # threading itself is much to load

from xenvm.ops.signals import Shield

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Aside:
    """Does `work` in a thread of its own, from now on; whoever starts one joins it, whatever happens."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._error: BaseException | None = None
        self._running = allocate_lock()
        self._running.acquire()
        with Shield():  # inherited by the thread: signals are the main thread's business
            start_new_thread(self._run, ())

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # handed to the caller of finish()
            self._error = error
        finally:
            self._running.release()

    def join(self) -> None:
        """Waits for the thread."""
        with self._running:
            pass

    def finish(self) -> None:
        """Waits for the thread, and raises what ended it."""
        self.join()
        if self._error is not None:
            raise self._error
