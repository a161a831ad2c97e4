"""Timelines of days of which each is a session, for what is tested without bars."""

from __future__ import annotations

import numpy as np
from aegismatrix_factory.evaluate.walkforward import EMBARGO_DAYS, DateArray, Timeline


def every_day(dates: DateArray, horizon_days: int) -> Timeline:
    """Each outcome ends so many rows later, each cut lies an embargo of rows before."""
    ended, cut = np.full((2, len(dates)), np.datetime64("NaT", "D"), dtype=dates.dtype)
    ended[:-horizon_days] = dates[horizon_days:]
    cut[EMBARGO_DAYS:] = dates[:-EMBARGO_DAYS]
    return Timeline(dates, ended, cut)
