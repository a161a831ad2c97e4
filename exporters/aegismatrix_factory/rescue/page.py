"""The verdicts as one HTML page without script, picture or network."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from aegismatrix_factory.rescue.verdicts import CONVERTED, REFUSED, VERDICTS, Rescued
from aegismatrix_factory.rescue.wording import checked, printable, what

_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .5rem .75rem .5rem 0;
  border-bottom: 1px solid color-mix(in srgb, currentColor 25%, transparent);
  overflow-wrap: anywhere }
.converted { font-weight: 600 }
ul { margin: .25rem 0; padding-left: 1.2rem }
"""


def render_page(verdicts: Sequence[Rescued]) -> str:
    """Return the page.

    Parameters
    ----------
    verdicts : sequence of Rescued
        From `aegismatrix_factory.rescue.folder.rescue`.

    Returns
    -------
    str
        A whole document.
    """
    counts = ", ".join(
        f"{sum(one.verdict == kind for one in verdicts)} {kind}" for kind in VERDICTS
    )
    rows = "\n".join(_row(one) for one in verdicts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Rescue: {counts}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>Rescue</h1>\n<p>{counts}</p>\n<table>\n<thead><tr><th>File</th><th>Verdict</th>"
        "<th>What it is</th><th>What was checked, or what stands in its way</th><th>Next step</th>"
        f"</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>\n</body>\n</html>\n"
    )


def _row(one: Rescued) -> str:
    container = [str(part) for part in (one.container or {}).values() if part is not None]
    kind = f" ({', '.join(container[:2])}, protocol {container[-1]})" if len(container) > 1 else ""
    cells = (
        f"<td>{_text(one.file)}</td>",
        f'<td class="{"converted" if one.verdict == CONVERTED else "other"}">{one.verdict}</td>',
        f"<td>{_text(what(one) + kind)}</td>",
        f"<td>{_said(one)}</td>",
        f"<td>{_text(one.next_step)}</td>",
    )
    return f"<tr>{''.join(cells)}</tr>"


def _said(one: Rescued) -> str:
    if one.verdict != REFUSED:
        return _list([*checked(one), *one.warnings])
    inside = [
        f"{part['class']} at {part['path']}: {'would convert' if part['converts'] else 'would not'}"
        for part in one.parts
        if part["path"]
    ]
    return _list([f"{said.code}: {said.reason}" for said in one.obstacles] + inside)


def _list(lines: Sequence[str]) -> str:
    items = "".join(f"<li>{_text(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def _text(text: str) -> str:
    return escape(printable(text))
