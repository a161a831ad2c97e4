"""How long and how often a fetch that may still succeed is tried."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import field
from typing import TypeVar

from aegismatrix.desk.errors import TransientSourceError
from aegismatrix.errors import MissingExtraError
from aegismatrix.records import dataclass

_LOG = logging.getLogger(__name__)
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Patience:
    """Limits of a fetch: tries, waits between them, and time in all.

    Before try n + 1 the wait is ``min(first_wait * 2**(n - 1), longest_wait)`` seconds plus a
    random part of up to `jitter`, so that many clients do not return at the same moment.

    Attributes
    ----------
    tries : int
        Of each request, at most.
    total, request : float
        Seconds for a whole fetch, all of its requests and waits together, and for the answer to
        one request.
    first_wait, longest_wait, jitter : float
        Seconds.
    sleep, clock, draw : callable
        How to wait, the monotonic time in seconds, and a random number from 0 to 1; tests give
        their own.
    """

    tries: int = 5
    total: float = 60.0
    request: float = 10.0
    first_wait: float = 1.0
    longest_wait: float = 16.0
    jitter: float = 1.0
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    draw: Callable[[], float] = field(default=random.random, repr=False)

    def begin(self) -> Attempt:
        """Start the time that is left for one fetch."""
        return Attempt(self, self.clock() + self.total)


@dataclass(frozen=True)
class Attempt:
    """A fetch under way.

    Attributes
    ----------
    patience : Patience
        Its limits.
    ends : float
        When its time is over, on the clock of `patience`.
    """

    patience: Patience
    ends: float

    @property
    def seconds_left(self) -> float:
        """Seconds until its time is over; negative after that."""
        return self.ends - self.patience.clock()

    def retry(self, ask: Callable[[], Answer]) -> Answer:
        """Ask until there is an answer, an error that will not pass, or no patience left.

        Parameters
        ----------
        ask : callable
            One try.

        Returns
        -------
        object
            What `ask` returned.

        Raises
        ------
        MissingExtraError
            If tenacity is not installed.
        TransientSourceError
            The last one, with its number of `attempts`; others are raised at once.
        """
        try:
            import tenacity
        except ImportError as error:
            raise MissingExtraError("tenacity", extra="yahoo") from error

        def is_over(state: tenacity.RetryCallState) -> bool:
            last_try = state.attempt_number >= self.patience.tries
            return last_try or state.upcoming_sleep >= self.seconds_left

        def wait(state: tenacity.RetryCallState) -> float:
            doubled = self.patience.first_wait * 2.0 ** (state.attempt_number - 1)
            jitter = self.patience.jitter * self.patience.draw()
            return min(doubled, self.patience.longest_wait) + jitter

        def tell(state: tenacity.RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            problem = error.problem if isinstance(error, TransientSourceError) else error
            _LOG.warning("%s Next try in %.1f s.", problem, state.upcoming_sleep)

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(TransientSourceError),
            wait=wait,
            stop=is_over,
            sleep=self.patience.sleep,
            before_sleep=tell,
            reraise=True,
        )
        try:
            return retrying(ask)
        except TransientSourceError as error:
            error.attempts = retrying.statistics["attempt_number"]
            raise
