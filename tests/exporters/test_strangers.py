"""Models that somebody adds, by an installed package or by name, without an edit of the project."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import spox.opset.ai.onnx.v18 as op
from aegismatrix_factory.evaluate.markets import MarketRows
from aegismatrix_factory.evaluate.walkforward import (
    Forecasts,
    Judgement,
    climatology,
    constant,
    judge,
    squared_error,
    walk_forward,
)
from aegismatrix_factory.graph.expressions import Graph
from aegismatrix_factory.heads.events import Event as TrainedEvent
from aegismatrix_factory.heads.events import EventsHead
from aegismatrix_factory.heads.head import Estimators, FloatArray, Head, Inputs, Progress
from aegismatrix_factory.heads.logistic import (
    fit_logistic,
    logistic_graph,
    predict_logistic,
    training_rows,
)
from aegismatrix_factory.heads.registry import HEADS, HeadRefusedError, every_head
from aegismatrix_factory.heads.trap import Trap
from aegismatrix_factory.release.training import (
    TrainingRecordError,
    check_known,
    read_training,
)
from spox import Tensor, argument, build

import aegismatrix as am
import scripts.export
import scripts.train
from aegismatrix.artifacts.manifest import read_manifest
from aegismatrix.desk.cli.main import main
from aegismatrix.desk.monitoring.journal import Journal, claims_of
from aegismatrix.desk.monitoring.monitor import MonitorReport, monitor
from aegismatrix.market.bars import Bars
from aegismatrix.market.events import CLOSE_ABOVE, TRAP, Event, Output
from aegismatrix.market.outcomes import happened

pytestmark = pytest.mark.slow


SAMPLE = Path(am.__file__).parent / "desk" / "sources" / "sample_data"

DESIGN = Path(__file__).parents[2] / "docs" / "design.md"
# What the document shows: a model with an event of the package's kinds, one with a kind of its own.
PACKAGE = re.findall(
    r"^```python\n(.*?)^```$", DESIGN.read_text("utf-8"), re.DOTALL | re.MULTILINE
)[0]
ENTRY_POINTS = """\
[aegismatrix.heads]
calm = gales:Calm
gale = gales:Gale

[aegismatrix.events]
quiet_closes = gales:quiet_closes
"""


class UpDay(Head):
    """P(the next close is higher), from nothing but what every head must have, three rows back."""

    name = "up"
    version = "1"
    question = "Will the next close be higher?"
    features = ("return_1", "rv_5")
    columns = ("up_1",)
    tolerance = 1e-12
    rows = 3

    def fit(self, market: MarketRows, pool: Sequence[MarketRows]) -> Estimators:
        rows = np.arange(len(market.dates))
        table = training_rows(market, self._label(market), rows, None, [], self.features, 1)
        return {"only": fit_logistic(*table)}

    def walk(
        self, market: MarketRows, pool: Sequence[MarketRows], progress: Progress
    ) -> dict[str, Forecasts]:
        label = self._label(market)
        walked = walk_forward(
            market.timeline(1),
            label,
            market.scored_from,
            market.scored_to,
            constant(0.5),
            {"climatology": climatology(label)},
        )
        return {"up_1": walked}

    def check_shuffled(self, market: MarketRows, progress: Progress) -> None:
        """A constant forecast cannot leak."""

    def judge(self, market: MarketRows, walks: Mapping[str, Forecasts]) -> list[Judgement]:
        walked = walks["up_1"]
        return [
            judge(
                walked,
                output="up_1",
                market=market.name,
                horizon_days=1,
                score="Brier skill",
                loss=squared_error,
                events=[(walked.model, walked.label)],
            )
        ]

    def refits(self, market: MarketRows) -> int:
        return 0

    def base_rates(self, market: MarketRows) -> dict[str, float]:
        return {"up_1": float(np.nanmean(self._label(market)))}

    def predict(self, estimators: Estimators, inputs: Inputs) -> FloatArray:
        return predict_logistic(estimators["only"], inputs["features"])[self.rows - 1 :, 1:]

    def build(self, estimators: Estimators, feature_names: tuple[str, ...]) -> onnx.ModelProto:
        graph = Graph()
        features = argument(Tensor(np.float64, ("N", len(feature_names))))
        places = [feature_names.index(name) for name in self.features]
        read = op.gather(features, graph.constant(places), axis=1)
        probability = logistic_graph(estimators["only"], read, graph)
        end = graph.constant([np.iinfo(np.int64).max])
        last = op.slice(probability, graph.constant([2]), end, graph.constant([0]))
        return build(
            {"features": features},
            {"probability": op.gather(last, graph.constant([1]), axis=1)},
        )

    @staticmethod
    def _label(market: MarketRows) -> FloatArray:
        up = (np.diff(market.bars.close) > 0).astype(float)
        return market.rows_of(np.append(up, np.nan))


UP = f"{__name__}:UpDay"


@dataclass(frozen=True)
class Made:
    """What came of the package: its place, the heads with it, the training and the artifacts."""

    site: Path
    heads: tuple[Head, ...]
    training: Path
    folder: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    place = tmp_path_factory.mktemp("strangers")
    site = place / "site"
    (site / "gales-1.0.dist-info").mkdir(parents=True)
    (site / "gales.py").write_text(PACKAGE)
    metadata = "Metadata-Version: 2.1\nName: gales\nVersion: 1.0\n"
    (site / "gales-1.0.dist-info" / "METADATA").write_text(metadata)
    (site / "gales-1.0.dist-info" / "entry_points.txt").write_text(ENTRY_POINTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        heads = every_head(named=[UP])
        bars = [
            *("--index", str(SAMPLE / "sp500_daily.csv"), "--iv", str(SAMPLE / "vix_daily.csv")),
            *("--market", "small", "--quick"),
        ]
        training, models = str(place / "training"), str(place / "models")
        assert scripts.train.main([*bars, "--head", UP, "--out", training]) == 0
        assert scripts.export.main(["--training", training, "--head", UP, "--out", models]) == 0
        yield Made(site, heads, place / "training", place / "models")


@pytest.fixture(scope="module")
def engine(made: Made) -> am.Engine:
    return am.Engine(made.folder)


@pytest.fixture(scope="module")
def report(engine: am.Engine, sample: Bars) -> am.Report:
    return am.analyze(sample, engine=engine, now=datetime(2019, 1, 2, 6, tzinfo=timezone.utc))


def test_models_of_installed_packages_come_after_the_packages_own_and_before_named_ones(
    made: Made,
) -> None:
    names = [head.name for head in made.heads]
    assert names == [*(head.name for head in HEADS), "calm", "gale", "up"]
    assert [head.name for head in every_head(named=[UP, UP])] == names


def test_added_models_are_fused_and_stand_in_the_history(
    made: Made, engine: am.Engine, sample: Bars, capsys: pytest.CaptureFixture[str]
) -> None:
    assert am.verify(made.folder, golden=True) == []
    assert {"calm", "gale", "up"} <= am.load_models(made.folder).keys()
    history = engine.history(sample)
    assert history.columns["gale"] == ("gale_3",)
    assert history["up"].shape == (len(history), 1)
    # As far back as the head that looks back furthest, and all outputs stay aligned.
    fused = tuple(head for head in made.heads if not head.optional)
    furthest = max(head.rows for head in fused)
    assert engine.lookback_bars == am.load_models()["features"].spec.lookback_bars + furthest - 1
    one_day = engine.predict(sample)
    for head in fused:
        last = history[head.name][-1]
        np.testing.assert_allclose(one_day[head.name][0], last, rtol=0, atol=head.tolerance)
    assert main(["history", "--sample", "--models", str(made.folder)]) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith(",calm_2,gale_3,up_1")


def test_the_command_lists_added_models_with_their_verdicts(
    made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "--models", str(made.folder)]) == 0
    said = capsys.readouterr().out
    for name, output in (("calm 1", "calm_2"), ("gale 3", "gale_3"), ("up 1", "up_1")):
        assert f"\n{name}: trained on small" in said
        assert f"  {output} " in said


def test_the_manifest_says_what_added_columns_are_and_nothing_new_of_the_packages_own(
    made: Made,
) -> None:
    entries = {
        one["name"]: one
        for one in json.loads((made.folder / "manifest.json").read_text())["artifacts"]
    }
    assert [name for name, entry in entries.items() if "meanings" in entry] == ["calm", "gale"]
    assert entries["gale"]["meanings"] == {
        "gale_3": {
            "wording": "Gale within 3 sessions",
            "judged": "gale_3",
            "event": {
                "kind": "realised_above_implied",
                "horizon_days": 3,
                "classes": [1],
                "parameters": {"times": 1.2},
            },
        }
    }


def test_the_card_says_what_added_columns_are(made: Made) -> None:
    card = (made.folder / "MODEL_CARD.md").read_text()
    (row,) = (line for line in card.splitlines() if "Gale within" in line)
    rate = read_manifest(made.folder).model("gale").base_rates["gale_3"]
    assert row == (
        "| gale_3 | Gale within 3 sessions | `realised_above_implied`, times 1.2 | 3 |"
        f" {rate:.3f} |"
    )
    assert "## up 1" in card
    assert card.count("Gives:") == 2


def test_the_report_shows_added_models_with_base_rate_horizon_and_verdict(
    report: am.Report, engine: am.Engine, sample: Bars
) -> None:
    report.validate()
    calm, gale, up = report.to_dict()["further_models"]
    row = engine.predict(sample).row()
    rate = engine.manifest.model("gale").base_rates["gale_3"]
    assert gale == {
        "model": "gale",
        "version": "3",
        "question": "Will three sessions move by a fifth more than implied?",
        "outputs": [
            {
                "column": "gale_3",
                "judged": "gale_3",
                "wording": "Gale within 3 sessions",
                "probability": round(row["gale_3"], 6),
                "base_rate": rate,
                "horizon_days": 3,
                "verdict": report.verdict("gale_3"),
            }
        ],
    }
    assert calm["outputs"][0]["horizon_days"] == 2
    # Of the last one nothing but its name is known.
    (unsaid,) = up["outputs"]
    assert unsaid["wording"] == unsaid["column"] == "up_1"
    assert "horizon_days" not in unsaid
    assert unsaid["verdict"] != "not judged"
    assert f"Gale within 3 sessions  {row['gale_3']:.0%}; usual {rate:.0%}" in report.summary()


def test_the_page_has_a_plain_tile_for_each_added_model(report: am.Report) -> None:
    page = report.to_html()
    assert page.count('id="further-') == 3
    for words in ("gale 3", "Gale within 3 sessions", "Two calm closes", "up_1"):
        assert words in page
    assert '<a href="#further">' in page
    for model in report.further_models:
        assert model.question in page


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory, engine: am.Engine, sample: Bars) -> Journal:
    journal = Journal(tmp_path_factory.mktemp("log") / "forecasts.sqlite")
    for count in range(1100, 1108):
        bars = sample[:count]
        after = datetime.fromisoformat(f"{bars.dates[-1]}T06:00:00+00:00") + timedelta(days=1)
        assert journal.append(am.analyze(bars, engine=engine, now=after))
    return journal


def watched(journal: Journal, sample: Bars, made: Made) -> MonitorReport:
    return monitor(journal, sample, manifest=read_manifest(made.folder))


def test_what_decides_an_added_model_is_what_it_was_trained_on(
    journal: Journal, sample: Bars, made: Made
) -> None:
    found = watched(journal, sample, made)
    scores = {one.output: one for one in found.outputs}
    rows = np.searchsorted(sample.dates, [np.datetime64(run.as_of) for run in journal.runs()])
    for head in made.heads[-3:-1]:
        (trained,) = head.events  # type: ignore[attr-defined]
        score = scores[trained.column]
        came = trained.happened(trained.label(sample))[rows]
        assert score.n == len(rows)
        assert score.horizon_days == trained.horizon_days
        assert score.frequency == came.mean()
        assert (
            score.base_rate
            == read_manifest(made.folder).model(head.name).base_rates[trained.column]
        )
        assert score.sealed_skill is not None
    assert "gale_3" in found.summary()


def test_monitoring_says_which_added_output_it_cannot_score_and_why(
    journal: Journal, sample: Bars, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    (note,) = (one for one in watched(journal, sample, made).notes if one.code == "NOT_DECIDABLE")
    assert note.sentence == "Not scored: up_1: the artifacts seal no event of it."
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one != str(made.site)])
    without = watched(journal, sample, made)
    (note,) = (one for one in without.notes if one.code == "NOT_DECIDABLE")
    assert "calm_2: Events of the kind 'quiet_closes' cannot be decided: no installed" in (
        note.sentence
    )
    scored = {one.output for one in without.outputs}
    assert "gale_3" in scored
    assert "calm_2" not in scored


def test_a_logged_claim_of_another_horizon_is_not_scored_as_this_one(
    journal: Journal, sample: Bars, made: Made
) -> None:
    manifest = read_manifest(made.folder)
    gale = manifest.model("gale")
    meaning = gale.meanings["gale_3"]
    assert meaning.event is not None
    longer = replace(meaning, event=replace(meaning.event, horizon_days=4))
    models = {**manifest.models, "gale": replace(gale, meanings={"gale_3": longer})}
    found = monitor(journal, sample, manifest=replace(manifest, models=models))
    assert "gale_3" not in {one.output for one in found.outputs}
    (note,) = (one for one in found.notes if one.code == "NOT_DECIDABLE")
    assert "gale_3: these artifacts have no event of it at its horizon" in note.sentence


def test_the_bundled_artifacts_leave_aside_what_other_models_claimed_and_say_so(
    journal: Journal, sample: Bars
) -> None:
    found = monitor(journal, sample)
    (note,) = (one for one in found.notes if one.code == "NOT_DECIDABLE")
    assert "calm_2" in note.sentence
    assert "gale_3" in note.sentence
    assert "up_1" not in note.sentence


def test_what_nothing_decides_is_not_claimed(report: am.Report) -> None:
    claimed = {claim.output: claim.horizon_days for claim in claims_of(report)}
    assert (claimed["gale_3"], claimed["calm_2"]) == (3, 2)
    assert "up_1" not in claimed
    assert "up_1" in report.record.probabilities


def test_forecasting_and_reporting_look_for_no_package(
    report: am.Report, engine: am.Engine, sample: Bars, monkeypatch: pytest.MonkeyPatch
) -> None:
    def entry_points(**asked: Any) -> None:
        raise AssertionError(f"looked for {asked}")

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)
    now = datetime(2019, 1, 2, 6, tzinfo=timezone.utc)
    assert am.analyze(sample, engine=engine, now=now).to_json() == report.to_json()


def test_an_export_does_not_leave_out_in_silence_what_was_trained(made: Made) -> None:
    with pytest.raises(TrainingRecordError, match="up was trained, and neither"):
        check_known(made.training, made.heads[:-1])


def test_an_event_that_changed_after_training_is_another_model(made: Made) -> None:
    *others, gale, up = made.heads
    (event,) = gale.events  # type: ignore[attr-defined]
    harder = replace(event.output, event=replace(event.output.event, parameters={"times": 1.3}))

    class Harder(type(gale)):  # type: ignore[misc]
        events = (TrainedEvent.of(harder),)

    with pytest.raises(TrainingRecordError, match="its meanings differs"):
        read_training(made.training, (*others, Harder(), up))


class NoHead:
    """Somebody's class."""


class TrapAgain(EventsHead):
    """Would overwrite a column of the package's own."""

    name = "again"
    version = "1"
    question = "Again?"
    features = Trap.features
    events = (Trap.events[0],)


class TwiceTrap(Trap):
    """Another model of a name that is taken."""


class Features(UpDay):
    """Its name is that of an output that no model gives."""

    name = "features"


class Spaced(UpDay):
    """Its name is no file name."""

    name = "up day"


class Elsewhere(UpDay):
    """Says what a column is that it does not have."""

    name = "elsewhere"
    columns = ("elsewhere_1",)
    meanings = (Output("other", "elsewhere", "other", "Other", Event(CLOSE_ABOVE, 1)),)


class Umlaut(UpDay):
    """Says it in letters that a manifest does not hold."""

    name = "umlaut"
    columns = ("umlaut_1",)
    meanings = (Output("umlaut_1", "umlaut", "umlaut_1", "H\u00f6her", Event(CLOSE_ABOVE, 1)),)


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ("nothing", "not written as module:name"),
        ("no_such_module:Head", "ModuleNotFoundError"),
        (f"{__name__}:Nobody", "AttributeError"),
        (f"{__name__}:NoHead", "is a NoHead and no Head"),
        (f"{__name__}:TrapAgain", "another model has its column 'trap_5'"),
        (f"{__name__}:TwiceTrap", "the name 'trap' is taken"),
        (f"{__name__}:Features", "the name 'features' is taken"),
        (f"{__name__}:Spaced", "lower-case letters"),
        (f"{__name__}:Elsewhere", "it says what 'other' is"),
        (f"{__name__}:Umlaut", "not printable ASCII"),
    ],
)
def test_a_model_that_cannot_be_added_is_refused_by_name(named: str, why: str) -> None:
    with pytest.raises(HeadRefusedError, match=why) as caught:
        every_head(named=[named])
    assert caught.value.name == named


def test_a_broken_package_is_refused_by_the_name_of_its_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "broken-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[aegismatrix.heads]\nbroken = broken_heads:Head\n")
    (tmp_path / "broken_heads.py").write_text("raise RuntimeError('half written')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(HeadRefusedError, match="half written") as caught:
        every_head()
    assert caught.value.name == "broken"


def test_training_on_an_output_without_an_event_is_refused() -> None:
    with pytest.raises(ValueError, match="names no event"):
        TrainedEvent.of(replace(TRAP[5], event=None))


def test_an_events_label_is_the_function_that_monitoring_asks(sample: Bars) -> None:
    output = Output(
        "up_2", "up", "up_2", "Up", Event(CLOSE_ABOVE, 2, parameters={"fraction": 0.01})
    )
    trained = TrainedEvent.of(output)
    assert output.event is not None
    np.testing.assert_array_equal(
        trained.happened(trained.label(sample)), happened(output.event, sample)
    )
