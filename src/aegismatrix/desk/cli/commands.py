"""What each command does: arguments in, files and lines out, an exit status back."""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import logging
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aegismatrix.artifacts.errors import SignatureError
from aegismatrix.artifacts.manifest import (
    ENGINE_NAME,
    GOLDEN_KEY,
    Manifest,
    is_here,
    list_models,
    read_manifest,
)
from aegismatrix.desk.errors import JournalError
from aegismatrix.desk.files import write_atomically
from aegismatrix.desk.outputs import missing_from
from aegismatrix.errors import AegisError, MissingExtraError

if TYPE_CHECKING:
    from aegismatrix.artifacts.signature import Signature
    from aegismatrix.desk.job.publish import Published, Settings
    from aegismatrix.desk.sources.fetched import BarSource
    from aegismatrix.engine.engine import Engine, Forecast
    from aegismatrix.market.bars import Bars
    from aegismatrix.market.chain import OptionChain
    from aegismatrix.market.market import Market

DONE, FINDING = 0, 1
_INPUTS = ("index", "iv", "intraday", "chain", "overnight_index", "overnight_iv")
_SIGNATURE = "signature"

_log = logging.getLogger(__name__)


def report(arguments: argparse.Namespace) -> int:
    """Write the report on the last bar."""
    with _without_collection():
        return _report(arguments)


@contextmanager
def _without_collection() -> Iterator[None]:
    """Keep Python from looking for cycles of garbage meanwhile.

    Modules and rows of files are made by the ten thousand, and each time it looks through all of
    them: 6 % of a report, which is over within a second and leaves next to none.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _report(arguments: argparse.Namespace) -> int:
    from aegismatrix.desk.job.publication import PAGE_NAME, REPORT_NAME
    from aegismatrix.desk.job.publish import publish
    from aegismatrix.engine.engine import Engine

    settings = _settings(arguments, check_current=False)
    _refuse_to_overwrite(arguments, settings.folder / REPORT_NAME)
    _refuse_to_overwrite(arguments, settings.folder / PAGE_NAME)
    published = publish(_source(arguments), settings, engine=Engine(arguments.models))
    _mention_missing_page(published.page_missing, settings.folder / PAGE_NAME, settings.html)
    if arguments.json:
        print(published.report.to_json(), end="")
        return DONE
    if not arguments.quiet:
        print(published.report.summary())
        if arguments.index and arguments.market is None:
            print("The bars were taken as NIFTY's; --market other says that they are not.")
        print(f"in {' and '.join(str(path) for path in published.files)}")
    return DONE


def run(arguments: argparse.Namespace) -> int:
    """Publish once, or again and again while the exchange is open."""
    from aegismatrix.desk.job.ending import ended_by_signals
    from aegismatrix.desk.job.repeat import repeat

    job = _Job(arguments)
    with ended_by_signals() as ending:
        if arguments.every is None:
            job.run()
            return DONE

        def sleep(seconds: float) -> None:
            ending.check()
            time.sleep(seconds)

        try:
            repeat(job.run_again, arguments.every, lambda: _exchange(arguments), sleep=sleep)
        except AegisError as error:
            if job.is_begun:
                _line("failed", _failure(error), time.monotonic())
            raise
    return DONE


class _Job:
    """The runs of one job."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._engine: Engine | None = None
        self._entry: str | None = None

    @property
    def is_begun(self) -> bool:
        """Whether a run has succeeded."""
        return self._engine is not None

    def run(self) -> None:
        """Publish, and say so or why not."""
        started = time.monotonic()
        try:
            published = self._publish()
        except AegisError as error:
            _line("failed", _failure(error), started)
            raise
        self._tell(published, started)

    def run_again(self) -> None:
        """Publish; once a run has succeeded, what fails is said and tried again in the next one."""
        if not self.is_begun:
            self.run()
            return
        started = time.monotonic()
        try:
            result: Published | AegisError | OSError = self._publish()
        except (AegisError, OSError) as error:
            result = error
        try:
            if isinstance(result, AegisError | OSError):
                said = _failure(result)
                _line("failed", said, started)
                words = f"aegismatrix: {said['problem']} {said['remedy']}"
                print(words, file=sys.stderr, flush=True)
            else:
                self._tell(result, started)
        except BrokenPipeError:
            # Whoever started the job and read what it says has left.
            raise
        except OSError as error:
            # The log of the job may lie on a disk that is full, and the folder on another one.
            _log.warning("what the run has to say could not be written: %s", error)

    def _tell(self, published: Published, started: float) -> None:
        from aegismatrix.desk.job.publication import PAGE_NAME

        page = Path(self._arguments.out) / PAGE_NAME
        _mention_missing_page(published.page_missing, page, self._arguments.html)
        if not self._arguments.quiet:
            _line("published", published.to_dict(), started)

    def _publish(self) -> Published:
        from aegismatrix.desk.job.publication import JOURNAL_NAME
        from aegismatrix.desk.job.publish import check_open, publish
        from aegismatrix.desk.monitoring.journal import Journal
        from aegismatrix.desk.monitoring.monitor import monitor as monitored
        from aegismatrix.desk.sources.fetched import utc_now
        from aegismatrix.engine.engine import Engine

        arguments = self._arguments
        if arguments.only_open:
            check_open(utc_now(), _exchange(arguments))
        engine = self._engine or Engine(arguments.models)
        settings = _settings(arguments, check_current=True)
        journal = Journal(arguments.journal or settings.folder / JOURNAL_NAME)
        published = publish(
            _source(arguments),
            settings,
            engine=engine,
            journal=journal,
            known=self._entry,
            watch=lambda bars, now: monitored(
                journal, bars, manifest=engine.manifest, now=now
            ).block(),
        )
        self._engine, self._entry = engine, published.entry
        return published


def _failure(error: AegisError | OSError) -> Mapping[str, Any]:
    """Say what failed, for a job's log."""
    content = {"error": type(error).__name__, "kind": "", "problem": f"{error}.", "remedy": ""}
    if isinstance(error, AegisError):
        content |= {"kind": error.kind, "problem": error.problem, "remedy": error.remedy}
    else:
        content["remedy"] = "It is tried again in the next run."
    return content


def _line(event: str, content: Mapping[str, Any], started: float) -> None:
    """One structured line for a job's log."""
    line = {"event": event, **content, "seconds": round(time.monotonic() - started, 3)}
    print(json.dumps(line, allow_nan=False), flush=True)


def monitor(arguments: argparse.Namespace) -> int:
    """Score the published forecasts whose outcome is known."""
    from aegismatrix.desk.monitoring.journal import Journal
    from aegismatrix.desk.monitoring.monitor import CRITICAL
    from aegismatrix.desk.monitoring.monitor import monitor as monitored

    if arguments.demo:
        _make_demo(arguments)
    elif not Path(arguments.journal).exists():
        raise JournalError(arguments.journal, "missing")
    manifest = read_manifest(arguments.models)
    bars = _source(arguments).fetch().bars
    result = monitored(Journal(arguments.journal), bars, manifest=manifest)
    if arguments.json:
        print(json.dumps(result.to_dict(), indent=2, allow_nan=False))
    elif not arguments.quiet:
        print(result.summary())
    return FINDING if any(one.severity == CRITICAL for one in result.alerts) else DONE


def _make_demo(arguments: argparse.Namespace) -> None:
    from aegismatrix.desk.monitoring.demo import demo_journal
    from aegismatrix.engine.engine import Engine

    if arguments.yahoo or arguments.index or arguments.iv:
        arguments.parser.error("--demo is made of the sample and goes without other bars")
    arguments.sample = True
    demo_journal(arguments.journal, engine=Engine(arguments.models))


def check(arguments: argparse.Namespace) -> int:
    """Say whether the files of a folder belong together."""
    from aegismatrix.desk.job.check import check_folder

    journal = None if arguments.journal is None else Path(arguments.journal)
    earlier = [Path(path) for path in arguments.earlier or ()]
    found = check_folder(Path(arguments.folder), journal, earlier)
    wrong = any(one.status == "FAIL" for one in found)
    if arguments.json:
        listed = [
            {"file": one.what, "status": one.status.lower() or "none", "said": one.said}
            | ({"remedy": one.remedy} if one.remedy else {})
            for one in found
        ]
        print(json.dumps({"belong_together": not wrong, "files": listed}, indent=2))
    else:
        for one in found:
            if one.status == "FAIL" or not arguments.quiet:
                remedy = f" {one.remedy}" if one.remedy else ""
                print(f"{one.status:4} {one.what}: {one.said.rstrip('.')}.{remedy}")
    return FINDING if wrong else DONE


def _settings(arguments: argparse.Namespace, *, check_current: bool) -> Settings:
    from aegismatrix.desk.job.publish import Settings

    return Settings(
        folder=Path(arguments.out),
        horizon_days=arguments.horizon,
        expiry=arguments.expiry,
        confidence=arguments.confidence,
        html=arguments.html,
        check_current=check_current,
        allow_stale=arguments.allow_stale,
        chain=_chain(arguments),
        overnight=_overnight(arguments),
        validate=arguments.validate,
    )


def _chain(arguments: argparse.Namespace) -> OptionChain | None:
    """Return the option chain, where one is given."""
    if arguments.chain is not None:
        from aegismatrix.market.chain import OptionChain

        return OptionChain.from_csv(arguments.chain, expiry=arguments.chain_expiry)
    if arguments.chain_expiry is not None:
        arguments.parser.error("--chain-expiry goes with --chain")
    return None


def _overnight(arguments: argparse.Namespace) -> Bars | None:
    """Return the US market's bars, where they are asked for."""
    files = (arguments.overnight_index, arguments.overnight_iv)
    if (files[0] is None) != (files[1] is None):
        arguments.parser.error("--overnight-index and --overnight-iv go together")
    if files[0] is not None:
        from aegismatrix.market.bars import Bars

        return Bars.from_csv(files[0], iv=files[1], market="other")
    if arguments.overnight:
        if not arguments.yahoo:
            arguments.parser.error("--overnight fetches from Yahoo: it goes with --yahoo")
        from aegismatrix.desk.sources.yahoo import YahooSource

        return YahooSource("^GSPC", "^VIX", allow_stale=arguments.allow_stale).fetch().bars
    return None


def _source(arguments: argparse.Namespace) -> BarSource:
    """Return the source that the arguments name."""
    from aegismatrix.desk.sources.local import CsvSource, SampleSource
    from aegismatrix.market.market import NIFTY, market_named

    error = arguments.parser.error
    market = _market(arguments)
    files = (arguments.index, arguments.iv)
    cuts = (arguments.start, arguments.end, arguments.date_format)
    named = [arguments.sample, arguments.yahoo, any(file is not None for file in files)]
    intraday = getattr(arguments, "intraday", None)
    stamps = getattr(arguments, "intraday_stamps", None)
    if stamps is not None and intraday is None:
        error("--intraday-stamps goes with --intraday")
    if sum(named) != 1:
        error("give --index CSV and --iv CSV, or --yahoo, or --sample")
    if arguments.sample:
        options = (*cuts, market, arguments.calendar, arguments.closed, intraday)
        if arguments.permit or any(option is not None for option in options):
            error("--sample goes without options of other bars")
        return SampleSource()
    if arguments.yahoo:
        if intraday is not None or any(option is not None for option in cuts):
            error("--yahoo fetches its own 5-minute bars and takes no dates")
        from aegismatrix.desk.sources.yahoo import YahooSource

        fetched = YahooSource(
            index=arguments.symbol,
            iv=arguments.iv_symbol,
            market=market,
            permit=arguments.permit,
            allow_stale=arguments.allow_stale,
        )
        assert fetched.market is not None
        return replace(fetched, market=_with_days(market_named(fetched.market), arguments))
    if None in files:
        error("--index and --iv go together")
    return CsvSource(
        index=arguments.index,
        iv=arguments.iv,
        tickers=(arguments.symbol, arguments.iv_symbol),
        market=_with_days(market or NIFTY, arguments),
        intraday=intraday,
        stamps=stamps,
        date_format=arguments.date_format,
        permit=arguments.permit,
        start=arguments.start,
        end=arguments.end,
    )


def _market(arguments: argparse.Namespace) -> Market | None:
    """Return the market that was asked for: by name also the one that the models are of."""
    from aegismatrix.market.market import MARKETS, Market

    given: Market | str | None = arguments.market
    if not isinstance(given, str):
        return given
    modelled = read_manifest(arguments.models).market
    if given != modelled:
        known = dict.fromkeys([*MARKETS, *([modelled] if modelled else [])])
        arguments.parser.error(
            f"argument --market: there is no market {given!r}; give one of {', '.join(known)}, or"
            " the path of a market file, which ends in .json"
        )
    return Market(given)


def _exchange(arguments: argparse.Namespace) -> Market:
    """Return whose hours the job goes by: NSE's, where those of the market are not known."""
    from aegismatrix.market.market import NIFTY

    market = _market(arguments) or NIFTY
    return _with_days(NIFTY if market.calendar is None else market, arguments)


def _with_days(market: Market, arguments: argparse.Namespace) -> Market:
    """Put a newer table and single closures into a market's calendar."""
    if arguments.calendar is not None:
        from aegismatrix.market.calendars.calendar import Calendar

        table, held = Calendar.from_csv(arguments.calendar), market.calendar
        market = replace(market, calendar=table if held is None else held.followed_by(table))
    if arguments.closed:
        if market.calendar is None:
            arguments.parser.error(f"--closed goes with a calendar, and {market.name} has none")
        market = replace(market, calendar=market.known_calendar().with_closed(arguments.closed))
    return market


def _files(given: str | Sequence[str] | None) -> Sequence[str]:
    """The paths that one option gives."""
    return (given,) if isinstance(given, str) else given or ()


def _refuse_to_overwrite(arguments: argparse.Namespace, out: Path) -> None:
    given = vars(arguments)
    for source in itertools.chain.from_iterable(_files(given.get(name)) for name in _INPUTS):
        if source and out.is_file() and Path(source).exists() and out.samefile(source):
            arguments.parser.error(f"--out {arguments.out} would overwrite the bars in {source}")


def _mention_missing_page(
    missing: MissingExtraError | None, path: Path, wanted: bool | None
) -> None:
    older = f" {path} is an older one." if path.exists() else ""
    if missing is not None:
        print(f"aegismatrix: no page was written. {missing}{older}", file=sys.stderr)
    elif wanted is False and older:
        print(f"aegismatrix: no page was written.{older}", file=sys.stderr)


def history(arguments: argparse.Namespace) -> int:
    """Write every probability for every day."""
    from aegismatrix.engine.engine import Engine

    bars = _source(arguments).fetch().bars
    _refuse_to_overwrite(arguments, Path(arguments.out))
    engine = Engine(arguments.models)
    forecast = engine.history(bars, out_of_sample=arguments.out_of_sample)
    lines = _history_lines(forecast) if arguments.json else _history_rows(forecast)
    text = "".join(f"{line}\n" for line in lines)
    if arguments.out == "-":
        _write_all(text)
        return DONE
    write_atomically(arguments.out, text)
    if arguments.quiet or arguments.json:
        return DONE
    print(
        f"{len(forecast)} days, {forecast.dates[0]} to {forecast.dates[-1]}, in {arguments.out};"
        " the last one:"
    )
    print("\n".join(_last_day(forecast, bars, engine.manifest)))
    return DONE


def touch(arguments: argparse.Namespace) -> int:
    """Say how likely strikes are touched, or closed beyond, by an expiry."""
    from aegismatrix.engine.engine import Engine

    bars = _source(arguments).fetch().bars
    engine = Engine(arguments.models)
    asked = {
        "strike": arguments.strike,
        "by": arguments.by,
        "horizon_days": arguments.horizon_days,
    }
    touched, ended = engine.touch(bars, **asked), engine.beyond(bars, **asked)
    rows = [
        {key: value for key, value in one.items() if key != "probability"}
        | {"touch": one["probability"], "beyond": other["probability"]}
        for one, other in zip(touched.rows(), ended.rows(), strict=True)
    ]
    if arguments.json:
        print(json.dumps({"as_of": touched.as_of, "spot": touched.spot, "strikes": rows}))
        return DONE
    if not arguments.quiet:
        print(f"{touched.as_of}  close {touched.spot:g}")
        print(f"{'by':<12}{'strike':>10}{'touched':>10}{'closed beyond':>15}")
        for row in rows:
            until = row.get("by", f"{row['horizon_days']} days")
            print(f"{until:<12}{row['strike']:>10g}{row['touch']:>10.1%}{row['beyond']:>15.1%}")
    return DONE


def _write_all(text: str) -> None:
    """Write to standard output; with PYTHONUNBUFFERED a single write may stop short unnoticed."""
    sys.stdout.flush()
    rest = memoryview(text.encode("ascii"))
    while rest:
        rest = rest[sys.stdout.buffer.write(rest) :]


def drop_output() -> None:
    """Send standard output to nowhere: whoever read it has left."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _history_rows(forecast: Forecast) -> Iterable[str]:
    """Write CSV: of each day what is known and what is forecast, probabilities in twelve digits."""
    yield ",".join(["date", "close", "iv", *_flags(forecast), *forecast.table()])
    for day, close, iv, flags, values in _days(forecast):
        said = ["true" if flag else "false" for flag in flags]
        yield ",".join(
            [day, f"{close!r}", f"{iv!r}", *said, *(f"{value:.12f}" for value in values)]
        )


def _history_lines(forecast: Forecast) -> Iterable[str]:
    """Write the same as one JSON object a line."""
    names = ["date", "close", "iv", *_flags(forecast), *forecast.table()]
    for day, close, iv, flags, values in _days(forecast):
        row = [day, close, iv, *flags, *(round(value, 12) for value in values)]
        yield json.dumps(dict(zip(names, row, strict=True)), allow_nan=False)


def _flags(forecast: Forecast) -> dict[str, list[bool]]:
    """Whether each day is in-sample, and, of an out-of-sample history, which fit spoke."""
    flags = {"in_sample": forecast.in_sample.tolist()}
    if forecast.walk_forward is not None:
        flags["walk_forward"] = forecast.walk_forward.tolist()
    return flags


def _days(
    forecast: Forecast,
) -> Iterable[tuple[str, float, float, tuple[bool, ...], tuple[float, ...]]]:
    """Every day: its date, close, iv, flags and probabilities."""
    return zip(
        forecast.dates.astype(str).tolist(),
        forecast.close.tolist(),
        forecast.iv_percent.tolist(),
        zip(*_flags(forecast).values(), strict=True),
        zip(*(values.tolist() for values in forecast.table().values()), strict=True),
        strict=True,
    )


def _last_day(forecast: Forecast, bars: Bars, manifest: Manifest) -> Iterable[str]:
    spot, iv = forecast.close[-1], forecast.iv_percent[-1]
    yield f"{forecast.dates[-1]}  {bars.market.title}, close {spot:.2f}, iv {iv:.2f} %"
    for note in bars.notes:
        yield f"note: {note}"
    models = manifest.models.values()
    judgements = [judgement for model in models for judgement in model.own_judgements()]
    row = forecast.row()
    for judgement in judgements:
        columns = [column for column in row if _is_of(judgement, column)]
        values = "  ".join(f"{_rest(judgement, column)}{row[column]:.3f}" for column in columns)
        if columns:
            yield f"  {judgement['output']}  {values}"
            yield f"    {_verdict(judgement)}"
    if bars.market.name != manifest.market:
        yield f"demonstration: other market{', in-sample' if forecast.in_sample[-1] else ''}"
    elif forecast.in_sample[-1]:
        yield "in-sample: the models were trained on this day, so it is no evidence of skill"


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


def models(arguments: argparse.Namespace) -> int:
    """List models and their walk-forward skill."""
    if arguments.json:
        listed = [
            {
                "name": model.name,
                "version": model.version,
                "kind": model.kind,
                "file": model.file,
                "sha256": model.sha256,
                "judgements": list(model.own_judgements()),
            }
            for model in list_models(arguments.models)
        ]
        print(json.dumps(listed, indent=2, allow_nan=False))
        return DONE
    if read_manifest(arguments.models).is_quick:
        print("quick training: few refits; not a judgement to rely on")
    for model in list_models(arguments.models):
        spans = ", ".join(f"{span.market} {span.first} to {span.last}" for span in model.training)
        learnt = f"trained on {spans}" if spans else f"{model.kind}, not trained"
        if model.kind == "rescued":
            learnt = "rescued: training data unknown, never judged"
        print(f"{model.name} {model.version}: {learnt}")
        for judgement in model.own_judgements():
            print(f"  {judgement['output']:14} {_verdict(judgement)}")
    return DONE


def verify(arguments: argparse.Namespace) -> int:
    """Check every artifact and, if asked, the signature."""
    from aegismatrix.engine.verify import Finding, verify_manifest

    for name, given in (("--key", arguments.key), ("--not-before", arguments.not_before)):
        if given is not None and not arguments.signature:
            arguments.parser.error(f"{name} goes with --signature")
    # To run a graph is to trust who sealed it, as whoever installed the package does.
    golden = arguments.golden or arguments.folder is None
    try:
        manifest = read_manifest(arguments.folder)
        # Who is promised a signed folder relies on all that lies in it.
        findings = verify_manifest(manifest, golden=golden, all_kinds=arguments.signature)
    except AegisError as error:
        manifest, findings = None, [Finding("manifest", error)]
    signed, unchecked = _signature(arguments, manifest)
    if isinstance(signed, SignatureError):
        findings.append(Finding(_SIGNATURE, signed))
    if arguments.json:
        found = [
            {"artifact": one.artifact, "problem": one.error.problem, "remedy": one.error.remedy}
            for one in findings
        ]
        said = {
            "manifest": None if manifest is None else manifest.digest,
            "findings": found,
            "signature": _signature_fields(arguments, signed, unchecked),
        }
        print(json.dumps(said, indent=2))
    else:
        if manifest is not None and not arguments.quiet:
            failed = {finding.artifact for finding in findings}
            _print_passed(manifest, failed, signed, golden=golden)
        for finding in findings:
            print(f"FAIL {finding}")
        if manifest is not None and not arguments.quiet and signed is None:
            asked = "not checked" if arguments.signature else "not checked; add --signature"
            print(f"     signature: {asked}")
    if unchecked is not None:
        raise unchecked
    return FINDING if findings else DONE


def _signature(
    arguments: argparse.Namespace, manifest: Manifest | None
) -> tuple[Signature | SignatureError | None, AegisError | None]:
    """What the signature is, if it was asked for and could be checked, and why it could not be."""
    if not arguments.signature or manifest is None:
        return None, None
    from aegismatrix.artifacts.signature import verify_signature

    try:
        found = verify_signature(manifest, key=arguments.key, not_before=arguments.not_before or 0)
        return found, None
    except SignatureError as error:
        return error, None
    except AegisError as error:
        return None, error


def _signature_fields(
    arguments: argparse.Namespace,
    signed: Signature | SignatureError | None,
    unchecked: AegisError | None,
) -> dict[str, str]:
    if isinstance(signed, SignatureError):
        return {"status": "off", "problem": signed.problem, "remedy": signed.remedy}
    if signed is not None:
        from aegismatrix.artifacts.signature import stamp

        return {"status": "ok", "key_id": signed.key_id, "signed_at": stamp(signed.signed_at)}
    if unchecked is not None:
        problem, remedy = unchecked.problem, unchecked.remedy
        return {"status": "not checked", "problem": problem, "remedy": remedy}
    return {"status": "not checked" if arguments.signature else "not asked for"}


def _print_passed(
    manifest: Manifest, failed: set[str], signed: Signature | SignatureError | None, *, golden: bool
) -> None:
    print(f"ok   manifest {manifest.digest[:16]}: {manifest.folder}")
    for name, model in manifest.models.items():
        if name not in failed:
            print(f"ok   {model.file}: {model.size_bytes} bytes, sha256 {model.sha256[:16]}")
    for key, file in manifest.attachments.items():
        if not is_here(manifest, key):
            print(f"     {file.file}: not here; only an out-of-sample history needs it")
        elif key not in failed | {GOLDEN_KEY}:
            print(f"ok   {file.file}: {file.size_bytes} bytes, sha256 {file.sha256[:16]}")
    values = manifest.attachments.get(GOLDEN_KEY)
    if values is None:
        print("     golden values: not checked, this folder has none")
    elif not golden:
        print("     golden values: not run; add --golden if you trust who sealed the folder")
    elif not failed & {GOLDEN_KEY, *manifest.models}:
        print(f"ok   {values.file}: every artifact computes its sealed numbers here")
    if ENGINE_NAME in manifest.models:
        for missing in missing_from(manifest):
            print(f"     report: cannot be made of these artifacts. {missing}")
    if signed is not None and not isinstance(signed, SignatureError):
        print(f"ok   signature: key {signed.key_id}, {signed.signed_at:%Y-%m-%d %H:%M:%S} UTC")


def completion(arguments: argparse.Namespace) -> int:
    """Print a script that completes the command in a shell."""
    try:
        import shtab
    except ImportError as error:
        raise MissingExtraError("shtab", extra="completion") from error
    print(shtab.complete(arguments.root, arguments.shell))
    return DONE
