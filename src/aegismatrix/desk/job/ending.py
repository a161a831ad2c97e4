"""How a job ends when it is asked to."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Terminated(KeyboardInterrupt):
    """The process was asked to end, as by ``docker stop`` or ``systemctl stop``."""


class Ending:
    """Whether the process was asked to end."""

    def __init__(self) -> None:
        self._is_asked = False

    def check(self) -> None:
        """Raise if it was: what was raised at once may have been lost inside of a library.

        Raises
        ------
        Terminated
            If it was.
        """
        if self._is_asked:
            raise Terminated

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self._is_asked = True
        raise Terminated


@contextmanager
def ended_by_signals() -> Iterator[Ending]:
    """Raise `Terminated` where the process is asked to end.

    The first process of a container ignores SIGTERM unless it handles it. What is under way is
    left; what was published before stays.

    Yields
    ------
    Ending
        Elsewhere than in the main thread, which alone is told of signals, it is never asked.
    """
    ending = Ending()
    if threading.current_thread() is not threading.main_thread():
        yield ending
        return
    before = signal.signal(signal.SIGTERM, ending._ask)
    try:
        yield ending
    finally:
        signal.signal(signal.SIGTERM, before)
