"""The command `aegismatrix`."""

from __future__ import annotations

import argparse
import io
import logging
import os
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, NoReturn

from aegismatrix import __version__
from aegismatrix.desk.cli import commands
from aegismatrix.desk.cli.installed import Command, installed_commands
from aegismatrix.desk.job.ending import Terminated
from aegismatrix.errors import MAX_MESSAGE, AegisError, BarsError, clipped
from aegismatrix.market.errors import MarketError

if TYPE_CHECKING:
    from aegismatrix.market.market import Market
    from aegismatrix.market.permits import Permit

LONGEST_DAYS, CONFIDENCE = 30, 0.80
WRONG_INPUT = 2
# The command's name stands before it.
_MAX_COMPLAINT = MAX_MESSAGE - 200
_INTERRUPTED, _PIPE_CLOSED, _TERMINATED = 130, 141, 143
_OWN = ("report", "run", "check", "monitor", "history", "touch", "models", "verify")
_EXAMPLES = """\
examples:
  aegismatrix report --sample --out out
  aegismatrix report --index nifty_daily.csv --iv india_vix_daily.csv --intraday nifty_5min.csv
  aegismatrix run --yahoo --out out --every 30m
  aegismatrix check out
  aegismatrix monitor --yahoo --journal out/forecasts.sqlite
  aegismatrix history --sample --out history.csv
  aegismatrix history --index nifty_daily.csv --iv india_vix_daily.csv --out history.csv
  aegismatrix touch --index nifty_daily.csv --iv india_vix_daily.csv --strike 24500 --by 2025-01-02
  aegismatrix models
  aegismatrix verify
  aegismatrix verify --signature

environment: AEGISMATRIX_MODELS (--models), AEGISMATRIX_OUT (--out), AEGISMATRIX_CACHE (Yahoo's
cache). Output has no colours, so NO_COLOR changes nothing.

exit status: 0 done, 1 a finding, 2 wrong usage, input or artifacts, 130 interrupted,
143 terminated
"""


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints stay short, whatever was given."""

    def error(self, message: str) -> NoReturn:
        super().error(clipped(message, _MAX_COMPLAINT))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; by default those of the process.

    Returns
    -------
    int
        Exit status: 0 done, 1 a finding, 2 wrong usage, input or artifacts.
    """
    given = sys.argv[1:] if argv is None else list(argv)
    # Ordinary commands do not pay for a search through every installed package.
    others = {} if given and given[0] in _OWN else installed_commands()
    asked = others.get(given[0]) if given else None
    if isinstance(asked, AegisError):
        print(f"aegismatrix: {asked}", file=sys.stderr)
        return WRONG_INPUT
    arguments = _parser(others).parse_args(given)
    if arguments.verbose:
        logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(name)s: %(message)s")
        logging.getLogger("aegismatrix").setLevel(logging.INFO)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file name may be any bytes.
        sys.stdout.reconfigure(errors="surrogateescape")
    try:
        status: int = arguments.run(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
    except AegisError as error:
        print(f"aegismatrix: {error}", file=sys.stderr)
        return WRONG_INPUT
    except KeyboardInterrupt as error:
        if isinstance(error, Terminated):
            print("aegismatrix: terminated", file=sys.stderr)
            return _TERMINATED
        print(f"aegismatrix: {arguments.interrupted}", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader has left; without this the interpreter would complain once more at exit.
        commands.drop_output()
        return _PIPE_CLOSED
    except OSError as error:
        if error.filename is not None:
            place = os.fsdecode(error.filename) if not isinstance(error.filename, int) else "a file"
            print(f"aegismatrix: {place}: {error.strerror or error}.", file=sys.stderr)
            return WRONG_INPUT
        print(f"aegismatrix: standard output: {error.strerror or error}.", file=sys.stderr)
        commands.drop_output()
        return WRONG_INPUT
    return status


def _parser(others: Mapping[str, Command | AegisError]) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="aegismatrix",
        description="Portable, verified market models: raw bars in, probabilities out.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"aegismatrix {__version__}")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    shared = _Parser(add_help=False)
    shared.add_argument("--quiet", "-q", action="store_true", help="print errors only")
    shared.add_argument(
        "--verbose", "-v", action="store_true", help="log each step to standard error"
    )
    shared.add_argument("--json", action="store_true", help="print JSON instead of text")

    def add(name: str, what: str) -> argparse.ArgumentParser:
        command = subparsers.add_parser(name, help=what, description=what, parents=[shared])
        command.set_defaults(parser=command, root=parser, interrupted="interrupted")
        return command

    report = add("report", "write the report on the last bar, as JSON and a page")
    _add_bars(report)
    _add_publishing(report)
    report.set_defaults(run=commands.report)

    run = add("run", "run the scheduled job: fetch bars, write the report, log the forecast")
    _add_bars(run)
    _add_publishing(run)
    run.add_argument(
        "--journal", metavar="FILE", help="log forecasts in this file (default: in --out)"
    )
    run.add_argument(
        "--every",
        metavar="STEP",
        type=_step,
        help="repeat while the exchange is open (NSE, if its hours are unknown), such as 30m",
    )
    run.add_argument(
        "--only-open", action="store_true", help="refuse to run while the exchange is closed"
    )
    run.set_defaults(run=commands.run)

    check = add("check", "check that the files that `run` publishes belong together")
    check.add_argument("folder", metavar="DIR", help="check this folder, the --out of `run`")
    check.add_argument(
        "--journal", metavar="FILE", help="read the forecast log here (default: in DIR)"
    )
    check.add_argument(
        "--earlier",
        metavar="JSON",
        action="append",
        help="also look for this copy of an earlier aegismatrix.json in the log; may be repeated",
    )
    check.set_defaults(run=commands.check)

    monitor = add("monitor", "score the published forecasts and list alerts")
    _add_bars(monitor)
    monitor.add_argument(
        "--journal", metavar="FILE", required=True, help="read the forecast log that `run` keeps"
    )
    monitor.add_argument(
        "--demo",
        action="store_true",
        help="first make that log: a month of reports on the embedded sample, to look at",
    )
    _add_models(monitor)
    monitor.set_defaults(run=commands.monitor)

    history = add("history", "write every probability for every day, as CSV or JSON lines")
    _add_bars(history)
    history.add_argument(
        "--out", metavar="FILE", default="-", help="write to this file; - is standard output"
    )
    history.add_argument(
        "--out-of-sample",
        action="store_true",
        help="write what the walk-forward said of the training's days, and leave out the others",
    )
    _add_models(history)
    history.set_defaults(run=commands.history)

    touch = add("touch", "say how likely strikes are touched, or closed beyond, by an expiry")
    _add_bars(touch)
    touch.add_argument(
        "--strike",
        metavar="POINTS",
        type=float,
        nargs="+",
        required=True,
        help="ask for these strikes, in index points",
    )
    touch_by = touch.add_mutually_exclusive_group(required=True)
    touch_by.add_argument(
        "--by", metavar="DATE", type=_iso_date, nargs="+", help="by these sessions, YYYY-MM-DD"
    )
    touch_by.add_argument(
        "--horizon-days",
        metavar="DAYS",
        type=int,
        nargs="+",
        help="within so many trading days, where the market has no calendar",
    )
    _add_models(touch)
    touch.set_defaults(run=commands.touch)

    models = add("models", "list models and their walk-forward skill")
    _add_models(models)
    models.set_defaults(run=commands.models)

    verify = add("verify", "check every artifact against its manifest")
    verify.add_argument(
        "folder",
        nargs="?",
        metavar="DIR",
        default=os.environ.get("AEGISMATRIX_MODELS") or None,
        help="check this folder of artifacts (default: the bundled one)",
    )
    verify.add_argument(
        "--golden",
        action="store_true",
        help="also run the golden values of DIR, which trusts whoever sealed it",
    )
    verify.add_argument(
        "--signature",
        action="store_true",
        help="also check the signature of the manifest (extra 'verify')",
    )
    verify.add_argument(
        "--key",
        metavar="PEM",
        help="trust this public key instead of the package's, with --signature",
    )
    verify.add_argument(
        "--not-before",
        type=_release,
        metavar="RELEASE",
        help="refuse a signed folder of an older release than this number, with --signature",
    )
    verify.set_defaults(run=commands.verify)

    completion = add("completion", "print a script that completes this command in a shell")
    completion.add_argument("shell", choices=("bash", "zsh", "tcsh"))
    completion.set_defaults(run=commands.completion)
    for name, other in others.items():
        if name not in subparsers.choices:
            _add_other(subparsers, name, other)
    return parser


def _add_other(
    subparsers: argparse._SubParsersAction[_Parser],
    name: str,
    other: Command | AegisError,
) -> None:
    """Add a command of another package, or a line that says why there is none."""
    if isinstance(other, AegisError):
        subparsers.add_parser(name, help=other.problem)
        return
    command = subparsers.add_parser(
        name,
        help=other.summary,
        description=other.description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(
        parser=command, run=other.run, interrupted=other.interrupted, verbose=False
    )
    other.add_arguments(command)


def _add_publishing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--intraday", metavar="CSV", help="read 5-minute bars: timestamp, open, high, low, close"
    )
    parser.add_argument(
        "--chain", metavar="CSV", help="read an option chain: strike, call and put open interest"
    )
    parser.add_argument(
        "--overnight-index", metavar="CSV", help="read S&P 500 bars for the overnight model"
    )
    parser.add_argument(
        "--overnight-iv", metavar="CSV", help="read the VIX for the overnight model"
    )
    parser.add_argument(
        "--overnight", action="store_true", help="fetch both from Yahoo, with --yahoo"
    )
    parser.add_argument(
        "--chain-expiry",
        metavar="DATE",
        type=_iso_date,
        help="set the day on which the option chain expires, YYYY-MM-DD",
    )
    parser.add_argument(
        "--intraday-stamps",
        choices=("start", "end"),
        help="read the stamps of 5-minute bars as their start or end (default: recognised)",
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        default=os.environ.get("AEGISMATRIX_OUT") or ".",
        help="write aegismatrix.json and aegismatrix.html in this folder (%(default)s)",
    )
    parser.add_argument(
        "--html",
        action=argparse.BooleanOptionalAction,
        help="require the page, or leave it out (default: written if extra 'report' is installed)",
    )
    parser.add_argument(
        "--validate",
        action="store_true",
        help="hold the report against its JSON Schema before it is written (extra 'report')",
    )
    until = parser.add_mutually_exclusive_group()
    until.add_argument(
        "--horizon",
        metavar="DAYS",
        type=int,
        choices=range(1, LONGEST_DAYS + 1),
        help="set the safe range's horizon, 1 to 30 trading days (default: to the market's next"
        " expiry; 20 if none is known)",
    )
    until.add_argument(
        "--expiry",
        metavar="DATE",
        type=_expiry,
        help="set the safe range's last day instead: YYYY-MM-DD, weekly or monthly",
    )
    parser.add_argument(
        "--confidence",
        type=_share,
        default=CONFIDENCE,
        help="set the coverage of the safe range (%(default)s)",
    )
    _add_models(parser)


def _add_bars(parser: argparse.ArgumentParser) -> None:
    bars = parser.add_argument_group("bars")
    bars.add_argument(
        "--index",
        metavar="CSV",
        action="append",
        help="read daily bars: date, high, low, close; again for each further part of the series",
    )
    bars.add_argument(
        "--iv",
        metavar="CSV",
        action="append",
        help="read its volatility index: date, close in per cent; again for each further part",
    )
    bars.add_argument(
        "--yahoo", action="store_true", help="fetch from Yahoo instead (extra 'yahoo')"
    )
    bars.add_argument(
        "--symbol",
        metavar="NAME",
        default="^NSEI",
        help="fetch this index, and choose it in files that have several (%(default)s)",
    )
    bars.add_argument(
        "--iv-symbol",
        metavar="NAME",
        default="^INDIAVIX",
        help="fetch this volatility index, likewise (%(default)s)",
    )
    bars.add_argument(
        "--allow-stale",
        metavar="AGE",
        type=_age,
        help="accept bars up to this old if a fetch fails or the source stands still, such as 2d",
    )
    bars.add_argument("--sample", action="store_true", help="use the embedded sample instead")
    bars.add_argument(
        "--market",
        metavar="NAME",
        type=_market,
        help="name the market of the bars: nifty, other, a market file FILE.json, or the name that"
        " the models of --models were trained under (default: nifty)",
    )
    bars.add_argument(
        "--permit",
        metavar="KIND:DATE",
        type=_permit,
        action="append",
        default=[],
        help="accept a real exception, such as missing:2026-01-15: move, copy, frozen_iv, missing"
        " or unexpected, with its day; may be repeated",
    )
    bars.add_argument(
        "--calendar",
        metavar="FILE",
        help="read a newer table of the exchange's days: CSV of date and kind, closed or special",
    )
    bars.add_argument(
        "--closed",
        metavar="DATE",
        type=_iso_date,
        action="append",
        help="add a day without a session that the table lacks, YYYY-MM-DD; may be repeated",
    )
    bars.add_argument(
        "--start", metavar="DATE", type=_iso_date, help="start on this day, YYYY-MM-DD"
    )
    bars.add_argument("--end", metavar="DATE", type=_iso_date, help="end on this day, YYYY-MM-DD")
    bars.add_argument(
        "--date-format", metavar="FORMAT", help="read dates in this form, such as %%d/%%m/%%Y"
    )


def _release(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no release number, such as 3")
    return int(text[:18])


def _iso_date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date, YYYY-MM-DD") from error


def _expiry(text: str) -> str:
    return text if text in ("weekly", "monthly") else _iso_date(text).isoformat()


def _market(text: str) -> Market | str:
    """Return a market, or its name if that is one which only the artifacts may know."""
    from aegismatrix.market.market import is_market_name, market_named

    try:
        return text if is_market_name(text) else market_named(text)
    except MarketError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _permit(text: str) -> Permit:
    from aegismatrix.market.permits import permits_of

    try:
        return permits_of(text)[0]
    except BarsError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _age(text: str, called: str = "age") -> timedelta:
    found = re.fullmatch(r"(\d{1,5})([mhd])", text)
    age = timedelta(0)
    if found:
        unit = {"m": "minutes", "h": "hours", "d": "days"}[found[2]]
        age = timedelta(**{unit: int(found[1])})
    if not age:
        raise argparse.ArgumentTypeError(f"{text!r} is not an {called} such as 30m, 12h or 3d")
    return age


def _step(text: str) -> timedelta:
    return _age(text, "interval")


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0.0 < share < 1.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share between 0 and 1")
    return share


def _add_models(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--models",
        metavar="DIR",
        default=os.environ.get("AEGISMATRIX_MODELS") or None,
        help="use this folder of artifacts (default: the bundled one)",
    )
