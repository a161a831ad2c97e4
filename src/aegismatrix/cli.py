"""The command `aegismatrix`."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aegismatrix import __version__
from aegismatrix.artifacts import ModelSpec, list_models, read_manifest
from aegismatrix.errors import AegisError, MissingExtraError
from aegismatrix.files import write_atomically

if TYPE_CHECKING:
    from aegismatrix.bars import Bars
    from aegismatrix.engine import Forecast
    from aegismatrix.report import Report

REPORT_NAME, PAGE_NAME = "aegismatrix.json", "aegismatrix.html"
HORIZON_DAYS, LONGEST_DAYS, CONFIDENCE = 20, 30, 0.80
DONE, FINDING, WRONG_INPUT = 0, 1, 2
_INTERRUPTED, _PIPE_CLOSED = 130, 141
_EXAMPLES = """\
examples:
  aegismatrix report --sample --out out
  aegismatrix report --index nifty_daily.csv --iv india_vix_daily.csv --intraday nifty_5min.csv
  aegismatrix history --sample --out history.csv
  aegismatrix history --index nifty_daily.csv --iv india_vix_daily.csv --out history.csv
  aegismatrix models
  aegismatrix verify

exit status: 0 done, 1 a finding, 2 wrong usage, input or artifacts
"""


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
    arguments = _parser().parse_args(argv)
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
    except KeyboardInterrupt:
        print("aegismatrix: interrupted", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader has left; without this the interpreter would complain once more at exit.
        _drop_output()
        return _PIPE_CLOSED
    except OSError as error:
        print(f"aegismatrix: standard output: {error.strerror or error}.", file=sys.stderr)
        _drop_output()
        return WRONG_INPUT
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="aegismatrix",
        description="Portable, verified market models: raw bars in, probabilities out.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"aegismatrix {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    report = commands.add_parser("report", help="everything about the last bar, as JSON and a page")
    _add_bars(report)
    report.add_argument(
        "--intraday", metavar="CSV", help="5-minute bars: timestamp, open, high, low, close"
    )
    report.add_argument(
        "--chain", metavar="CSV", help="option chain: strike, call and put open interest"
    )
    report.add_argument(
        "--out",
        metavar="DIR",
        default=".",
        help=f"folder for {REPORT_NAME} and {PAGE_NAME} (%(default)s)",
    )
    report.add_argument(
        "--html",
        action=argparse.BooleanOptionalAction,
        help="insist on the page, or leave it out (default: where the extra 'report' is installed)",
    )
    report.add_argument(
        "--horizon",
        metavar="DAYS",
        type=int,
        choices=range(1, LONGEST_DAYS + 1),
        default=HORIZON_DAYS,
        help="of the safe range, trading days 1 to 30 (%(default)s)",
    )
    report.add_argument(
        "--confidence", type=_share, default=CONFIDENCE, help="of the safe range (%(default)s)"
    )
    _add_models(report)
    report.set_defaults(run=_report, parser=report)

    history = commands.add_parser("history", help="every probability for every day, as CSV")
    _add_bars(history)
    history.add_argument(
        "--out", metavar="FILE", default="-", help="file to write; - is standard output"
    )
    _add_models(history)
    history.set_defaults(run=_history, parser=history)

    models = commands.add_parser("models", help="what there is, and what it was worth")
    _add_models(models)
    models.set_defaults(run=_models)

    verify = commands.add_parser("verify", help="check every artifact")
    verify.add_argument(
        "folder", nargs="?", metavar="DIR", help="folder of artifacts (default: the bundled one)"
    )
    verify.set_defaults(run=_verify)
    return parser


def _add_bars(parser: argparse.ArgumentParser) -> None:
    bars = parser.add_argument_group("bars")
    bars.add_argument("--index", metavar="CSV", help="daily bars: date, high, low, close")
    bars.add_argument("--iv", metavar="CSV", help="its volatility index: date, close in per cent")
    bars.add_argument("--sample", action="store_true", help="the embedded sample instead")
    bars.add_argument(
        "--market", choices=("nifty", "other"), help="whose bars they are (default: nifty)"
    )
    bars.add_argument("--start", metavar="DATE", type=_iso_date, help="first day, YYYY-MM-DD")
    bars.add_argument("--end", metavar="DATE", type=_iso_date, help="last day, YYYY-MM-DD")
    bars.add_argument(
        "--date-format", metavar="FORMAT", help="how dates are written, such as %%d/%%m/%%Y"
    )


def _iso_date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date, YYYY-MM-DD") from error


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
        "--models", metavar="DIR", help="folder of artifacts (default: the bundled one)"
    )


def _read_bars(arguments: argparse.Namespace) -> Bars:
    from aegismatrix.bars import Bars
    from aegismatrix.sources.sample import sample_bars

    files = (arguments.index, arguments.iv)
    if arguments.sample:
        options = (*files, arguments.market, arguments.start, arguments.end, arguments.date_format)
        if any(option is not None for option in options):
            arguments.parser.error("--sample goes without --index, --iv and their options")
        return sample_bars()
    if None in files:
        arguments.parser.error("give --index CSV and --iv CSV, or --sample")
    return Bars.from_csv(
        arguments.index,
        iv=arguments.iv,
        market=arguments.market or "nifty",
        date_format=arguments.date_format,
        start=arguments.start,
        end=arguments.end,
    )


def _refuse_to_overwrite(arguments: argparse.Namespace, out: Path) -> None:
    given = vars(arguments)
    for source in (given.get(name) for name in ("index", "iv", "intraday", "chain")):
        if source and out.is_file() and os.path.samefile(out, source):  # noqa: PTH121
            arguments.parser.error(f"--out {arguments.out} would overwrite the bars in {source}")


def _report(arguments: argparse.Namespace) -> int:
    from aegismatrix.analysis import analyze
    from aegismatrix.chain import OptionChain
    from aegismatrix.engine import Engine
    from aegismatrix.intraday import IntradayBars

    bars = _read_bars(arguments)
    folder = Path(arguments.out)
    _refuse_to_overwrite(arguments, folder / REPORT_NAME)
    _refuse_to_overwrite(arguments, folder / PAGE_NAME)
    made = analyze(
        bars,
        engine=Engine(arguments.models),
        horizon_days=arguments.horizon,
        confidence=arguments.confidence,
        intraday=IntradayBars.from_csv(arguments.intraday) if arguments.intraday else None,
        chain=OptionChain.from_csv(arguments.chain) if arguments.chain else None,
    )
    # Made before anything is written: a page that cannot be made leaves the old pair as it was.
    page = _page(made, arguments.html, folder / PAGE_NAME)
    made.to_json(folder / REPORT_NAME)
    written = [str(folder / REPORT_NAME)]
    if page is not None:
        write_atomically(folder / PAGE_NAME, page)
        written.append(str(folder / PAGE_NAME))
    print(made.summary())
    if not arguments.sample and arguments.market is None:
        print("The bars were taken as NIFTY's; --market other says that they are not.")
    print(f"in {' and '.join(written)}")
    return DONE


def _page(made: Report, wanted: bool | None, path: Path) -> str | None:
    """Return the page, or None where it is not wanted, or where it may and must be missing."""
    if wanted is False:
        return None
    try:
        made.validate()
        return made.to_html()
    except MissingExtraError as error:
        if wanted:
            raise
        older = f" {path} is an older one." if path.exists() else ""
        print(f"aegismatrix: no page was written. {error}{older}", file=sys.stderr)
        return None


def _history(arguments: argparse.Namespace) -> int:
    from aegismatrix.engine import Engine

    bars = _read_bars(arguments)
    _refuse_to_overwrite(arguments, Path(arguments.out))
    engine = Engine(arguments.models)
    forecast = engine.history(bars)
    text = "".join(f"{','.join(cells)}\n" for cells in _history_rows(forecast))
    if arguments.out == "-":
        _write_all(text)
        return DONE
    write_atomically(arguments.out, text)
    print(
        f"{len(forecast)} days, {forecast.dates[0]} to {forecast.dates[-1]}, in {arguments.out};"
        " the last one:"
    )
    print("\n".join(_last_day(forecast, bars, engine.manifest.models.values())))
    return DONE


def _write_all(text: str) -> None:
    """Write to standard output; with PYTHONUNBUFFERED a single write may stop short unnoticed."""
    sys.stdout.flush()
    rest = memoryview(text.encode("ascii"))
    while rest:
        rest = rest[sys.stdout.buffer.write(rest) :]


def _drop_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _history_rows(forecast: Forecast) -> Iterable[list[str]]:
    table = forecast.table()
    yield ["date", "in_sample", *table]
    seen = ["true" if in_sample else "false" for in_sample in forecast.in_sample]
    for day, flag, *values in zip(forecast.dates.astype(str), seen, *table.values(), strict=True):
        yield [day, flag, *(f"{value:.12f}" for value in values)]


def _last_day(forecast: Forecast, bars: Bars, models: Iterable[ModelSpec]) -> Iterable[str]:
    spot, iv = forecast.close[-1], forecast.iv_percent[-1]
    market = bars.market if bars.market == "nifty" else f"{bars.market} market"
    yield f"{forecast.dates[-1]}  {market}, close {spot:.2f}, iv {iv:.2f} %"
    judgements = [judgement for model in models for judgement in model.own_judgements()]
    row = forecast.row()
    for judgement in judgements:
        columns = [column for column in row if _is_of(judgement, column)]
        values = "  ".join(f"{_rest(judgement, column)}{row[column]:.3f}" for column in columns)
        if columns:
            yield f"  {judgement['output']}  {values}"
            yield f"    {_verdict(judgement)}"
    if bars.market != "nifty":
        yield f"demonstration: other market{', in-sample' if forecast.in_sample[-1] else ''}"
    elif forecast.in_sample[-1]:
        yield "in-sample: the models have seen this day; it is no evidence of skill"


def _is_of(judgement: Mapping[str, Any], column: str) -> bool:
    return f"{column}_".startswith(f"{judgement['output']}_")


def _rest(judgement: Mapping[str, Any], column: str) -> str:
    rest = column.removeprefix(judgement["output"]).lstrip("_")
    return f"{rest} " if rest else ""


def _verdict(judgement: Mapping[str, Any]) -> str:
    skill = judgement["skills"][judgement["strongest"]]
    return (
        f"skill {judgement['verdict']}: {100 * skill['skill']:.1f} %"
        f" [{100 * skill['lower']:.1f}, {100 * skill['upper']:.1f}] against"
        f" {judgement['strongest']} on {judgement['market']}"
    )


def _models(arguments: argparse.Namespace) -> int:
    for model in list_models(arguments.models):
        spans = ", ".join(f"{span.market} {span.first} to {span.last}" for span in model.training)
        learnt = f"trained on {spans}" if spans else f"{model.kind}, nothing of its own to learn"
        print(f"{model.name} {model.version}: {learnt}")
        for judgement in model.own_judgements():
            print(f"  {judgement['output']:14} {_verdict(judgement)}")
    return DONE


def _verify(arguments: argparse.Namespace) -> int:
    from aegismatrix.runtime import Finding, verify_manifest

    try:
        manifest = read_manifest(arguments.folder)
    except AegisError as error:
        print(f"off  {Finding('manifest', error)}")
        return FINDING
    print(f"ok   manifest {manifest.digest[:16]}: {manifest.folder}")
    findings = verify_manifest(manifest)
    off = {finding.artifact for finding in findings}
    for name, model in manifest.models.items():
        if name not in off:
            print(f"ok   {model.file}: {model.size_bytes} bytes, sha256 {model.sha256[:16]}")
    for finding in findings:
        print(f"off  {finding}")
    return FINDING if findings else DONE
