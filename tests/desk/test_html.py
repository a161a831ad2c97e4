"""The page: what it says, what it may not do, and how a browser lays it out."""

from __future__ import annotations

import json
import math
import re
import shutil
import sys
from collections.abc import Iterator
from copy import deepcopy
from datetime import datetime, timezone
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import aegismatrix as am
from aegismatrix.desk.html.figures import (
    bare_percent,
    long_day,
    percent,
    point_digits,
    points,
    short_day,
    signed_percent,
    signed_points,
)
from aegismatrix.desk.html.page import notebook_frame, render_page
from aegismatrix.desk.html.price import price_chart
from aegismatrix.desk.html.scales import Scale, kept_apart, round_values, spanning
from aegismatrix.desk.html.verdicts import skill_and_interval, trust
from aegismatrix.desk.html.wording import BUYER_REGIMES, plain, reason
from aegismatrix.desk.report import schema
from aegismatrix.errors import ContractError, MissingExtraError
from tests.browser import Browser, find_browser
from tests.sheets import Values, complete, scaled

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=timezone.utc)
VOID = {"meta", "link", "br", "img", "hr", "input"}
OPTIONAL_TILES = {
    "direction": {"today-title", "risk-title", "horizons-title"},
    "buyer": {
        "environment-title",
        "breakout-title",
        "bias-title",
        "levels-title",
        "theta-title",
        "gamma-title",
        "tape-title",
        "spike-title",
    },
    "price_history": {"price-title"},
    "intraday": {"session-title"},
}
BROWSER = find_browser()
FONTS = {
    "wide": ("DejaVu Sans", "DejaVuSans.ttf", "DejaVuSans-Bold.ttf"),
    "narrow": ("STIXGeneral", "STIXGeneral.ttf", "STIXGeneralBol.ttf"),
}
"""About as wide and as narrow as a page is ever set in: name, regular and bold."""
WIDTHS = f"""{[name for name, *_ in FONTS.values()]}.map(name => {{
  const drawn = document.createElement('canvas').getContext('2d');
  drawn.font = `100px "${{name}}"`;
  return Math.round(drawn.measureText('0123456789').width);
}})"""


class Page(HTMLParser):
    """A parsed page; an element that is not closed in its turn is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.outer_graphics: list[dict[str, str | None]] = []
        self.tiles: dict[str, str] = {}
        self.headings: list[int] = []
        self.text = ""
        self._open: list[str] = []
        self._tile: str | None = None
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "svg" and "svg" not in self._open:
            self.outer_graphics.append(dict(attrs))
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        assert len(values) == len(attrs), f"{tag} has an attribute twice"
        self.tags.append((tag, values))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if "tile" in (values.get("class") or "").split():
            self._tile = values["aria-labelledby"]
        if self._tile:
            label = values.get("aria-label") or ""
            self.tiles[self._tile] = f"{self.tiles.get(self._tile, '')} {label}"

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        if tag == "section":
            self._tile = None

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            return
        self.text += data
        if self._tile:
            self.tiles[self._tile] += data


@pytest.fixture(scope="module")
def values(sample: am.Bars) -> Values:
    return am.analyze(sample, now=NOW).to_dict()


@pytest.fixture(scope="module")
def whole(values: Values) -> Values:
    return complete(values)


def strange_reports(whole: Values) -> dict[str, Values]:
    """Valid and unlikely: levels, certainties, names and lists at their ends."""
    certain = deepcopy(whole)
    seller = certain["seller"]
    seller["trap"]["horizons"] = {"5": 0.0, "10": 1.0, "20": 1.0}
    seller["trap"]["score"] = 1.0
    seller["expiry_stress"]["probabilities"] = {"low": 0.0, "medium": 0.0, "high": 1.0}
    seller["expiry_stress"]["score"] = 1.0
    seller["historical_hit_rate"] = 1.0
    seller["historical_hit_rate_interval"] = {"lower": 0.84, "upper": 1.0}
    for side in ("either", "down", "up"):
        rows = seller["breach_surface"][side]
        seller["breach_surface"][side] = [[1.0, 1.0, 1.0, 0.0, 0.0, 0.0] for _ in rows]
    for horizon in certain["direction"]["horizons"].values():
        horizon["probabilities"] = {"down": 0.0, "neutral": 0.0, "up": 1.0}
    certain["buyer"]["spike_direction_bias"] |= {"up_prob": 0.0, "down_prob": 1.0}
    certain["price_history"] |= {
        "dates": certain["price_history"]["dates"][-2:],
        "close": [certain["market"]["spot"]] * 2,
        "iv_percent": [25.42] * 2,
    }
    certain["session"] = "partial"
    certain["provenance"]["source"] = "a_very_long_name_without_a_single_space_" * 12
    return {
        "tiny": scaled(whole, 0.5),
        "nifty": scaled(whole, 24_650.0),
        "huge": scaled(whole, 900_000.0),
        "certain": certain,
    }


def test_the_page_is_well_formed_and_says_its_language(whole: Values) -> None:
    page = Page(render_page(whole))
    assert page.tags[0] == ("html", {"lang": "en"})
    names = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(names) == len(set(names))
    for _, attributes in page.tags:
        for link in ("aria-labelledby", "href"):
            if link in attributes:
                assert (attributes[link] or "").removeprefix("#") in names
    assert page.headings[0] == 1
    assert page.headings.count(1) == 1
    for one, following in zip(page.headings, page.headings[1:], strict=False):
        assert following <= one + 1, "a heading skips a level"


def test_the_page_runs_nothing_and_loads_nothing(whole: Values) -> None:
    text = render_page(whole)
    page = Page(text)
    kinds = {tag for tag, _ in page.tags}
    assert not kinds & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    assert not re.search(r"https?://|//\w|@import|url\(|javascript:", text)
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "src"]
        assert (attributes.get("href") or "#").startswith("#")


def test_the_page_is_small_and_the_same_report_gives_the_same_bytes(whole: Values) -> None:
    text = render_page(whole)
    assert len(text.encode()) < 65_000
    assert text == render_page(json.loads(json.dumps(whole)))
    assert "nan" not in re.findall(r"\w+", text.lower())
    assert "None" not in re.findall(r'"[^"]*None[^"]*"', text)


def test_every_graphic_has_a_role_and_says_its_figures(whole: Values) -> None:
    graphics = Page(render_page(whole)).outer_graphics
    assert len(graphics) > 30
    for graphic in graphics:
        assert graphic["role"] == "img"
        assert len(graphic["aria-label"] or "") > 8
        assert re.search(r"\d|:", graphic["aria-label"] or ""), graphic


def test_each_tile_shows_the_numbers_of_the_report(whole: Values) -> None:
    tiles = Page(render_page(whole)).tiles
    market, seller, buyer = whole["market"], whole["seller"], whole["buyer"]
    safe, trap, stress = seller["safe_range"], seller["trap"], seller["expiry_stress"]
    today = whole["direction"]["today"]
    expected = {
        "spot-title": [points(market["spot"], 2), signed_points(market["spot_change"], 2)],
        "vix-title": [points(market["vix"], 2), signed_percent(market["vix_change_pct"])],
        "regime-title": ["High-volatility bear", signed_points(market["trend"], 2)],
        "price-title": [points(safe["lower"]), points(safe["upper"]), "126 sessions"],
        "flag-title": ["Hostile", "Volatility trap high", "Expiry stress hostile"],
        "safe-title": [points(safe["lower"]), points(safe["upper"]), "20 sessions"],
        "hit-title": [percent(seller["historical_hit_rate"]), "252 windows"]
        + [percent(end) for end in seller["historical_hit_rate_interval"].values()],
        "pain-title": [points(seller["max_pain"]["lower"]), "no option chain"],
        "trap-title": [percent(p) for p in trap["horizons"].values()]
        + [percent(trap["base_rate"]), trap["label"]],
        "stress-title": [percent(p) for p in stress["probabilities"].values()] + [stress["label"]],
        "skew-title": [
            signed_points(seller["skew"][name], 2) for name in ("put_skew", "call_skew", "net_skew")
        ],
        "surface-title": [
            bare_percent(p) for row in seller["breach_surface"]["either"] for p in row
        ]
        + [points(distance) for distance in seller["breach_surface"]["distance_points"]],
        "curve-title": [percent(one["probability"]) for one in seller["breach_probabilities"]],
        "today-title": [percent(today[name]) for name in ("conviction", "base_rate")],
        "risk-title": [points(whole["direction"]["risk_score"], 2)],
        "horizons-title": [
            figure
            for one in whole["direction"]["horizons"].values()
            for figure in (
                one["label"],
                f"to {short_day(one['target'])}",
                signed_points(one["expected_move_points"]),
                points(one["move_size_points"]),
                signed_points(one["move_interval_80"]["lower"]),
                signed_points(one["move_interval_80"]["upper"]),
                percent(one["probabilities"]["neutral"]),
            )
        ],
        "environment-title": [
            plain(buyer["buyer_environment"]["label"]),
            *(reason(code) for code in buyer["buyer_environment"]["reasons"]),
        ],
        "breakout-title": [percent(one["score"]) for one in buyer["breakout_next"]],
        "bias-title": [percent(buyer["spike_direction_bias"]["up_prob"])],
        "levels-title": [points(level) for level in buyer["breakout_levels"].values()],
        "theta-title": [percent(buyer["theta_edge"]["score"]), plain(buyer["theta_edge"]["label"])],
        "gamma-title": [slot["window"] for slot in buyer["gamma_windows"]],
        "tape-title": [BUYER_REGIMES[buyer["regime"]][0]],
        "spike-title": [percent(buyer["historical_spike_rate"]), "63 comparable days"],
        "session-title": ["09:15 to 12:40", "40, 1 missing", "filled", "Above, broke at 10:05"],
        "skill-title": ["Volatility trap", "10 d", "Brier skill against climatology, on nifty"],
        "origin-title": [whole["provenance"]["manifest_digest"], "19\xa0Jul\xa02010", "1,257"]
        + [one["sha256"][:12] for one in whole["provenance"]["artifacts"].values()],
    }
    if "volatility" in whole:
        ahead = whole["volatility"]["horizons"]
        shown = [one["percent"][place] for one in ahead for place in (1, 3, 5)]
        means = [one["mean_percent"] for one in ahead]
        expected["volatility-title"] = [
            *(points(one, 1) for one in (whole["volatility"]["iv_percent"], *shown, *means)),
            *(percent(one["above_iv"]) for one in ahead),
            *(percent(one["largest_difference"]) for one in ahead[1:]),
        ]
    assert set(tiles) == set(expected)
    for tile, figures in expected.items():
        for figure in figures:
            assert figure in tiles[tile], f"{tile}: {figure}"


def test_each_tile_says_how_far_to_trust_it(whole: Values) -> None:
    tiles = Page(render_page(whole)).tiles
    verdicts = ("demonstrated", "Not judged", "Measured")
    for tile, text in tiles.items():
        if tile != "origin-title":
            assert any(verdict in text for verdict in verdicts), tile
    skill = whole["provenance"]["skill"]
    said = {
        "demonstrated": "Skill demonstrated.",
        "indicated": "Skill indicated, not demonstrated.",
        "none demonstrated": "Skill: none demonstrated.",
    }
    shown = {"trap": "trap_10", "stress": "regime", "price": "breach_h20"}
    assert {skill[output]["verdict"] for output in shown.values()} == set(said)
    for tile, output in shown.items():
        assert said[skill[output]["verdict"]] in tiles[f"{tile}-title"]
        assert skill_and_interval(skill[output]) in tiles[f"{tile}-title"]
    for judged in skill.values():
        assert skill_and_interval(judged, "") in tiles["skill-title"]


def test_a_demonstration_and_an_open_session_are_announced(whole: Values) -> None:
    text = Page(render_page(whole)).text
    assert "Demonstration: other market, in-sample." in text
    assert "The session is not over." not in text
    real = deepcopy(whole)
    real["session"] = "partial"
    real["provenance"] |= {"market": "nifty", "in_sample": False}
    del real["provenance"]["demonstration"]
    text = Page(render_page(real)).text
    assert "Demonstration" not in text
    assert "The session is not over." in text
    assert "NIFTY 50" in text


def test_what_a_report_lacks_leaves_its_tiles_out(values: Values, whole: Values) -> None:
    everything = set(Page(render_page(whole)).tiles)
    for block, tiles in OPTIONAL_TILES.items():
        without = {name: value for name, value in whole.items() if name != block}
        assert set(Page(render_page(without)).tiles) == everything - tiles
    assert set(Page(render_page(values)).tiles) == everything - OPTIONAL_TILES["intraday"]


def test_without_gamma_windows_the_reason_is_said(whole: Values) -> None:
    bare = deepcopy(whole)
    bare["buyer"] |= {"gamma_windows": [], "gamma_windows_reason": "No 5-minute bars were given."}
    assert "No 5-minute bars were given." in Page(render_page(bare)).tiles["gamma-title"]


def test_a_session_without_a_previous_close_has_no_gap(whole: Values) -> None:
    first = deepcopy(whole)
    for name in ("previous_close", "gap_points", "gap_fraction", "gap_filled"):
        del first["intraday"][name]
    del first["intraday"]["realised_vol_percent"], first["intraday"]["opening_range"]["broke_at"]
    first["intraday"]["opening_range"]["state"] = "FORMING"
    text = Page(render_page(first)).tiles["session-title"]
    assert "Gap," not in text.split("\n")[0]
    assert "Forming" in text


def test_names_from_outside_do_no_harm(whole: Values) -> None:
    hostile = deepcopy(whole)
    name = "<b>&\"'</style><script>alert(1)</script>{{ 7 * 7 }}"
    hostile["provenance"]["source"] = name
    hostile["seller"]["seller_flag"]["reasons"] = ["<IMG_SRC>", "TRAP_LOW"]
    hostile["intraday"]["notes"] = [name]
    text = render_page(hostile)
    page = Page(text)
    assert name in page.tiles["origin-title"]
    assert name in page.tiles["session-title"]
    assert not {"script", "img"} & {tag for tag, _ in page.tags}


def test_a_report_with_every_block_is_valid(values: Values, whole: Values) -> None:
    for one in (values, whole):
        jsonschema.validate(one, schema())


@pytest.mark.parametrize("kind", ["tiny", "nifty", "huge", "certain"])
def test_a_strange_report_is_drawn(kind: str, whole: Values) -> None:
    strange = strange_reports(whole)[kind]
    jsonschema.validate(strange, schema())
    text = render_page(strange)
    page = Page(text)
    assert len(page.tiles) == len(Page(render_page(whole)).tiles)
    assert f"{signed_points(strange['market']['vix_change'], 2)} (" in page.tiles["vix-title"]
    for place in re.findall(r'\b(?:x|y|x1|x2|y1|y2|cx|cy|width|height)="(-?[\d.]+)%"', text):
        assert 0.0 <= float(place) <= 100.0


def test_a_number_that_is_not_finite_is_never_drawn(whole: Values) -> None:
    broken = deepcopy(whole)
    broken["market"]["vix_change"] = math.nan
    with pytest.raises(ContractError, match="not finite"):
        render_page(broken)


def test_without_jinja2_the_error_names_the_extra(
    whole: Values, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match=r"\.\[report\]"):
        render_page(whole)


def test_a_notebook_gets_the_page_in_a_frame_that_may_run_nothing(whole: Values) -> None:
    text = render_page(whole)
    frame = notebook_frame(text, height=700)
    assert frame.startswith("<iframe ")
    assert 'sandbox=""' in frame
    assert "height:700px" in frame
    (carried,) = re.findall(r'srcdoc="([^"]*)"', frame)
    assert unescape(carried) == text


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0.0, "0"),
        (0.000041, "<0.1"),
        (0.0004999, "<0.1"),
        (0.0005, "0.1"),
        (0.0994, "9.9"),
        (0.09951, "10"),
        (0.7946, "79"),
        (0.9949, "99"),
        (0.999995, ">99"),
        (1.0, "100"),
    ],
)
def test_a_probability_is_certain_only_if_it_is(fraction: float, text: str) -> None:
    assert bare_percent(fraction) == text


def test_points_are_grouped_and_signed_as_far_as_the_index_needs() -> None:
    assert [point_digits(spot) for spot in (0.5, 99.9, 2506.85, 25_000.0)] == [4, 2, 0, 0]
    assert points(1_234_567.8, 1) == "1,234,567.8"
    assert signed_points(-12.34, 1) == "\N{MINUS SIGN}12.3"
    assert signed_points(0.3) == signed_points(-0.3) == signed_points(0.0) == "0"
    assert signed_percent(0.008492) == "+0.8\xa0%"
    assert long_day("2018-12-31") == "Monday 31 December 2018"
    assert short_day("2026-01-05T12:00:00Z") == "5\xa0Jan\xa02026"


def test_a_verdict_says_its_evidence_in_words() -> None:
    judged = {"skill": -0.02, "lower": -0.04, "upper": -0.01, "baseline": "iv", "market": "nifty"}
    assert trust("none demonstrated", judged).detail.endswith("it did worse.")
    assert "does not clear zero" in trust("none demonstrated", {**judged, "upper": 0.01}).detail
    above = {**judged, "skill": 0.02, "lower": 0.01, "upper": 0.03}
    hinted = trust("indicated", above)
    assert (hinted.mark, hinted.words) == ("hinted", "Skill indicated, not demonstrated")
    assert "too little to count among all that was judged" in hinted.detail
    assert trust("none demonstrated", above).detail.endswith("from too few refits to count.")
    assert trust("not judged", None, "Why.").detail == "Why."
    assert skill_and_interval({"skill": 0.0368, "lower": -0.0003, "upper": 0.0}, "") == (
        "+3.7 [\N{MINUS SIGN}0.0, 0.0]"
    )


def test_labels_beside_an_axis_keep_apart_and_in_order() -> None:
    first, second, third = kept_apart([50.0, 51.0, 52.0], 8.0)
    assert second - first >= 7.0
    assert third - second >= 7.0
    assert kept_apart([10.0, 50.0, 90.0], 8.0) == (10.0, 50.0, 90.0)


def test_an_axis_holds_its_values_and_has_round_ticks() -> None:
    scale = spanning([2253.77, 2930.75], 0.06)
    assert round_values(scale, 5) == (2400.0, 2600.0, 2800.0)
    assert Scale(1.0, 0.0)(0.25) == 75.0
    assert Scale(3.0, 3.0)(3.0) == 50.0
    assert Scale(0.0, 1.0)(7.0) == 100.0


def test_the_safe_range_begins_at_the_last_close(whole: Values) -> None:
    chart = price_chart(
        whole["price_history"], whole["seller"]["safe_range"], whole["market"]["spot"]
    )
    assert chart.line.split()[-1] == f"{round(chart.now, 1):g},{round(chart.spot, 1):g}"
    assert chart.now == pytest.approx(100 * 125 / 145, abs=0.01)
    assert chart.upper < chart.spot < chart.lower


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser that has two fonts, whatever this machine has."""
    if BROWSER is None:
        pytest.skip("no Chromium on the path")
    pytest.importorskip("matplotlib", reason="its fonts are what the page is set in")
    from matplotlib import get_data_path

    fonts = tmp_path_factory.mktemp("fonts")
    for _, *files in FONTS.values():
        for name in files:
            shutil.copy(Path(get_data_path()) / "fonts" / "ttf" / name, fonts)
    with Browser(BROWSER, fonts) as browser:
        assert browser.value(WIDTHS) == pytest.approx([636, 500], rel=0.02)
        yield browser


def set_in(font: str, page: str) -> str:
    assert page.count("</style>") == 1
    return page.replace("</style>", f'*{{font-family:"{FONTS[font][0]}"!important}}</style>')


def measured(browser: Browser, page: str, file: Path, *, width: int, scheme: str = "light") -> Any:
    """Show a page and measure its texts."""
    file.write_text(page, encoding="utf-8")
    browser.show(file, width=width, scheme=scheme)
    return browser.value((Path(__file__).parents[1] / "measure.js").read_text())


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "font"), [("light", "wide"), ("dark", "narrow")])
@pytest.mark.parametrize("width", [1400, 900, 390])
@pytest.mark.parametrize("kind", ["whole", "bare", "tiny", "huge", "certain"])
def test_a_browser_lays_the_page_out_without_overflow_or_text_over_text(
    kind: str,
    width: int,
    scheme: str,
    font: str,
    browser: Browser,
    values: Values,
    whole: Values,
    tmp_path: Path,
) -> None:
    reports = {"whole": whole, "bare": values, **strange_reports(whole)}
    file = tmp_path / "page.html"
    page = set_in(font, render_page(reports[kind]))
    found = measured(browser, page, file, width=width, scheme=scheme)
    assert found["texts"] > 100
    assert found["scroll"] <= found["width"] == width
    assert found["beyond"] == []
    assert found["outside"] == []
    assert found["over"] == []
    assert found["faint"] == [], "contrast below 4.5"
    assert browser.console == []
    assert browser.requests == [file.as_uri()]


@pytest.mark.slow
def test_the_browser_finds_planted_faults(browser: Browser, whole: Values, tmp_path: Path) -> None:
    planted = ".means{margin-top:-30px}.word{width:2000px}.trust{color:#bbb}</style>"
    file = tmp_path / "page.html"
    page = set_in("wide", render_page(whole).replace("</style>", planted))
    found = measured(browser, page, file, width=1400)
    assert found["scroll"] > found["width"]
    assert found["beyond"]
    assert found["over"]
    assert found["faint"]


def test_an_option_chain_changes_what_max_pain_and_skew_are_said_to_be(whole: Values) -> None:
    chained = deepcopy(whole)
    chained["seller"]["max_pain"]["method"] = "option_chain"
    chained["seller"]["skew"] |= {"method": "open_interest", "net_skew": 0.25}
    tiles = Page(render_page(chained)).tiles
    assert "holders of all options receive least" in tiles["pain-title"]
    assert "more puts are open" in tiles["skew-title"]
    assert "daily returns" not in tiles["skew-title"]


def test_beyond_the_calendar_a_horizon_names_no_session(values: Values, whole: Values) -> None:
    assert "target" not in values["direction"]["horizons"]["t40"]
    target = f", to {short_day(whole['direction']['horizons']['t40']['target'])}"
    assert target in Page(render_page(whole)).tiles["horizons-title"]
    assert ", to " not in Page(render_page(values)).tiles["horizons-title"]


def test_a_session_of_one_bar_is_drawn_without_an_opening_range(whole: Values) -> None:
    first = deepcopy(whole)
    first["intraday"]["opening_range"] = {"minutes": 15, "state": "FORMING"}
    first["intraday"]["notes"] = ["HALF_SESSION", "ONE_BAR", "OPENING_MISSING"]
    text = Page(render_page(first)).tiles["session-title"]
    assert "There is a single bar." in text
    assert "Opening range" not in text
