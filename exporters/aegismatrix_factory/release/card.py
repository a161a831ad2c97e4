"""The model card and the skill table, generated from the manifest and from nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aegismatrix.artifacts.manifest import QUICK_KEY

_JUDGED_KINDS = ("head", "optional")

RULE_KEY = "verdict_rule"
"""In the manifest, by what its verdicts were reached."""

Row = Sequence[str]

_TERCILES = ("low", "middle", "high")


def model_card(content: Mapping[str, Any]) -> str:
    """Render MODEL_CARD.md.

    Parameters
    ----------
    content : mapping
        The manifest's content.

    Returns
    -------
    str
        Markdown.
    """
    return "\n".join(_card_lines(content)) + "\n"


def skill_table(content: Mapping[str, Any], market: str | None = None) -> str:
    """Render what each output was worth in the walk-forward, with its verdict.

    Parameters
    ----------
    content : mapping
        The manifest's content.
    market : str, optional
        Only on this market.

    Returns
    -------
    str
        A Markdown table: skills in per cent with their 95 % interval.
    """
    judged = [one for one in _judgements(content) if market in (None, one["market"])]
    header: Row = (
        "output",
        "market",
        "scored",
        "base rate",
        "skill vs climatology [95 %]",
        "vs strongest baseline [95 %]",
        "AUC [95 %]",
        "ECE",
        "verdict",
    )
    rows = [_skill_row(one) for one in judged]
    # Artifacts that were sealed before verdicts were corrected hold no such figure.
    if any("corrected_p" in one for one in judged):
        header = (*header[:-1], "corrected p", header[-1])
        rows = [
            (*row[:-1], f"{one['corrected_p']:.2g}" if "corrected_p" in one else "", row[-1])
            for row, one in zip(rows, judged, strict=True)
        ]
    return _table(header, rows)


def comparison_text(replaces: Mapping[str, Any]) -> str:
    """Render how artifacts compare with those that they replace.

    Parameters
    ----------
    replaces : mapping
        From `aegismatrix_factory.evaluate.challenge.Comparison.to_dict`, as the manifest has it.

    Returns
    -------
    str
        Markdown: a table of every output, and what to make of it.
    """
    return "\n".join(_comparison_lines(replaces))


def _comparison_lines(replaces: Mapping[str, Any]) -> Iterator[str]:
    champion = replaces["digest"]
    named = f"digest `{champion[:16]}`" if champion else "whose manifest could not be read"
    yield f"Champion: the artifacts replaced, {named}. Challenger: those that replace them."
    if replaces["incomparable"]:
        yield ""
        yield f"They could not be compared: {replaces['incomparable']}."
    if replaces["outputs"]:
        yield ""
        yield (
            f"Mean walk-forward losses on {replaces['market']}, on the days that both scored; lower"
            " is better. The difference is challenger - champion with its 95 % interval from a"
            " circular block bootstrap. Worse is what lies above 0 with its lower bound at a"
            f" one-sided level of {100 * replaces['output_level']:.3f} % (2.5 % over all outputs,"
            f" Bonferroni) or, for a mean over a head's outputs, {100 * replaces['head_level']:.3f}"
            " % (2.5 % over all heads); such a mean is of losses relative to the champion's."
        )
        yield ""
        yield _table(
            ("model", "output", "champion", "challenger", "difference [95 %]", "days", "verdict"),
            [_comparison_row(row) for row in (*replaces["outputs"], *replaces["heads"])],
        )
    for words, names in (
        ("Outputs of the champion alone", replaces["gone"]),
        ("Outputs of the challenger alone", replaces["new"]),
    ):
        if names:
            yield ""
            yield f"{words}, not compared: {', '.join(names)}."
    if replaces["worse"]:
        yield ""
        yield f"Worse: {', '.join(replaces['worse'])}."
    if replaces["forced"]:
        yield ""
        yield f"Replaced all the same. The reason given: {replaces['forced']}"


def _comparison_row(row: Mapping[str, Any]) -> Row:
    return (
        row["head"],
        row["output"],
        f"{row['champion']:.5f}",
        f"{row['challenger']:.5f}",
        f"{row['difference']:+.6f} [{row['lower']:+.6f}, {row['upper']:+.6f}]",
        str(row["days"]),
        row["verdict"],
    )


def _judgements(content: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [
        judgement
        for entry in content["artifacts"]
        if entry["kind"] in _JUDGED_KINDS
        for judgement in entry["judgements"]
    ]


def _skill_row(judgement: Mapping[str, Any]) -> Row:
    return (
        judgement["output"],
        judgement["market"],
        f"{judgement['first'][:4]}-{judgement['last'][:4]}, {judgement['n']} days",
        f"{judgement['base_rate']:.3f}",
        _percent(judgement["skills"]["climatology"]),
        f"{judgement['strongest']}: {_percent(judgement['skills'][judgement['strongest']])}",
        f"{judgement['auc']:.3f} [{judgement['auc_lower']:.3f}, {judgement['auc_upper']:.3f}]",
        f"{judgement['calibration_error']:.3f}",
        judgement["verdict"],
    )


def _card_lines(content: Mapping[str, Any]) -> Iterator[str]:
    yield "# Model card"
    yield ""
    yield ("Generated by `aegismatrix export` from `manifest.json`, which seals it. Do not edit.")
    yield ""
    quick = content.get(QUICK_KEY)
    refit = "refit every 126 bars"
    if quick:
        refit = f"refit {quick['refits']} times"
        yield (
            f"**Quick: {quick['refits']} refits; not a judgement to rely on.** Intervals come from"
            f" {quick['bootstrap_samples']} resamples, and every verdict is `none demonstrated`"
            " whatever its figures say. Train without `--quick` to have the models judged."
        )
        yield ""
    yield (
        "Skill is 1 - loss / loss of the baseline, in per cent; 0 is no better than the baseline."
        f" {_rule_text(content.get(RULE_KEY))}"
        " Every forecast scored here was made by a model that was fitted on labels that had ended"
        " at least five trading days before (expanding window,"
        f" {refit}); intervals come from a circular block bootstrap. The modelled"
        " market is judged as it is served; the other market alone or pooled in turn, whichever"
        " serves it better."
    )
    for entry in content["artifacts"]:
        if entry["kind"] in _JUDGED_KINDS:
            yield from _head_lines(entry)
    yield ""
    yield "## Artifacts"
    yield ""
    yield _table(
        ("file", "version", "bytes", "sha256", "look-back"),
        [
            (
                f"`{entry['file']}`",
                entry["version"],
                str(entry["size_bytes"]),
                f"`{entry['sha256'][:16]}`",
                f"{entry['lookback_bars']} bars",
            )
            for entry in content["artifacts"]
        ],
    )
    yield ""
    yield "## Proof of equality"
    yield ""
    yield _table(
        ("artifact", "check", "figure"),
        [
            (entry["file"], name.replace("_", " "), _figure(value))
            for entry in content["artifacts"]
            for name, value in entry["parity"].items()
        ],
    )
    # Artifacts that were sealed before there was a comparison say nothing of one.
    if "replaces" in content:
        yield ""
        yield "## Last comparison"
        yield ""
        if content["replaces"] is None:
            yield "These artifacts replaced none."
        else:
            yield from _comparison_lines(content["replaces"])
    yield ""
    yield "## Made with"
    yield ""
    yield ", ".join(f"{name} {version}" for name, version in content["made_with"].items()) + "."


def _rule_text(rule: Mapping[str, Any] | None) -> str:
    if rule is None:
        return (
            "A verdict is `demonstrated` only if the lower end of the 95 % interval against the"
            " strongest baseline is above 0."
        )
    return (
        "A verdict is `demonstrated` only if skill against the strongest baseline holds at a level"
        f" of {100 * rule['family_level']:g} % after correction for all outputs of a market (Holm;"
        " the package's own models are one family, those of others another), is at least"
        f" {100 * rule['least_effect']:g} % and rests on at least {rule['least_windows']}"
        " stretches of days that count as independent. It is `indicated` if the lower end of its"
        " own 95 % interval is above 0, and no more."
    )


def _head_lines(entry: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield f"## {entry['name']} {entry['version']}"
    yield ""
    yield entry["question"]
    yield ""
    yield "Trained on:"
    yield ""
    for span in entry["training"]:
        yield (
            f"- {span['market']}: {span['rows']} rows, bars from {span['first']} to {span['last']},"
            f" sha256 `{span['sha256'][:16]}`"
        )
    yield ""
    yield from _meaning_lines(entry)
    yield "Reads: " + ", ".join(f"`{feature['name']}`" for feature in entry["features"]) + "."
    yield ""
    yield skill_table({"artifacts": [entry]})
    yield ""
    yield "Against every baseline:"
    yield ""
    yield _table(
        ("output", "market", "baseline", "score", "skill [95 %]", "strongest"),
        [
            (
                judgement["output"],
                judgement["market"],
                baseline,
                judgement["score"],
                _percent(skill),
                "yes" if baseline == judgement["strongest"] else "",
            )
            for judgement in entry["judgements"]
            for baseline, skill in judgement["skills"].items()
        ],
    )
    yield from _measure_lines(entry["measures"])
    yield ""
    yield "Year by year, skill against climatology:"
    yield ""
    years = sorted({year for judgement in entry["judgements"] for year in judgement["years"]})
    yield _table(
        ("output", "market", *years),
        [
            (
                judgement["output"],
                judgement["market"],
                *(
                    f"{100 * judgement['years'][year]['skill']:.1f}"
                    if year in judgement["years"]
                    else ""
                    for year in years
                ),
            )
            for judgement in entry["judgements"]
        ],
    )


def _meaning_lines(entry: Mapping[str, Any]) -> Iterator[str]:
    """What the outputs are, of a model that is not the package's own."""
    if "meanings" not in entry:
        return
    yield "Gives:"
    yield ""
    yield _table(
        ("output", "what it is", "event", "trading days", "base rate"),
        [
            (
                column,
                meaning["wording"],
                "not sealed" if meaning["event"] is None else _asked(meaning["event"]),
                "" if meaning["event"] is None else str(meaning["event"]["horizon_days"]),
                f"{entry['base_rates'][column]:.3f}" if column in entry["base_rates"] else "",
            )
            for column, meaning in entry["meanings"].items()
        ],
    )
    yield ""


def _asked(event: Mapping[str, Any]) -> str:
    parameters = ", ".join(f"{name} {value:g}" for name, value in event["parameters"].items())
    return f"`{event['kind']}`" + (f", {parameters}" if parameters else "")


def _measure_lines(measures: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for what, words in (
        ("safe range", "Share of windows in which the safe range held"),
        ("lower edge", "Share of windows in which its lower edge was not touched"),
        ("upper edge", "Share of windows in which its upper edge was not touched"),
        (
            "neither, nearer below",
            "Share of windows that touched neither 1 implied deviation below nor 1.5 above",
        ),
        (
            "neither, nearer above",
            "Share of windows that touched neither 1.5 implied deviations below nor 1 above",
        ),
        ("move interval", "Share of moves that ended within their interval"),
    ):
        of_kind = [measure for measure in measures if measure["what"] == what]
        if of_kind:
            yield ""
            yield f"{words}, in per cent, against what it states:"
            yield ""
            yield _held_table(of_kind)
    for measure in measures:
        if measure["what"] == "paired gain":
            yield ""
            yield (
                f"{measure['output']} on {measure['market']} gains"
                f" {100 * measure['gain']:.1f} [{100 * measure['lower']:.1f},"
                f" {100 * measure['upper']:.1f}] points of skill over {measure['over']}, paired."
            )
        elif measure["what"] == "part of the move":
            yield ""
            yield (
                f"{measure['output']} on {measure['market']} ranks {measure['part']}, up or down,"
                f" with an AUC of {measure['auc']:.3f} [{measure['lower']:.3f},"
                f" {measure['upper']:.3f}], {measure['n']} days."
            )


def _held_table(measures: Sequence[Mapping[str, Any]]) -> str:
    years = sorted({year for measure in measures for year in measure["years"]})
    return _table(
        ("market", "days", "stated", "held [95 %]", "it is", "iv low", "middle", "high", *years),
        [
            (
                measure["market"],
                str(measure["horizon_days"]),
                f"{100 * measure['confidence']:.0f}",
                f"{100 * measure['held']:.1f} [{100 * measure['lower']:.1f},"
                f" {100 * measure['upper']:.1f}]",
                _width(measure),
                *(f"{100 * measure['iv_terciles'][name]:.0f}" for name in _TERCILES),
                *(
                    f"{100 * measure['years'][year]:.0f}" if year in measure["years"] else ""
                    for year in years
                ),
            )
            for measure in measures
        ],
    )


def _width(measure: Mapping[str, Any]) -> str:
    """Whether the interval of what held excludes what was stated."""
    if measure["upper"] < measure["confidence"]:
        return "too narrow"
    return "too wide" if measure["lower"] > measure["confidence"] else "as stated"


def _percent(skill: Mapping[str, float]) -> str:
    return f"{100 * skill['skill']:.1f} [{100 * skill['lower']:.1f}, {100 * skill['upper']:.1f}]"


def _figure(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.2g}"


def _table(header: Row, rows: Sequence[Row]) -> str:
    lines = ["| " + " | ".join(cells) + " |" for cells in (header, *rows)]
    lines.insert(1, "|" + "---|" * len(header))
    return "\n".join(lines)
