"""A table of a few rows as plain HTML: whatever is in it is read whole, on a small screen too, where grids cut it off."""

from __future__ import annotations

import html
from collections.abc import Sequence

_STYLE = """
<style>
.small-table { overflow-x: auto; }
.small-table table { width: 100%; border-collapse: collapse; font-size: .875rem; }
.small-table :is(th, td) { padding: .4rem .6rem; text-align: left; vertical-align: top; font-weight: 400; border: 0;
  border-bottom: 1px solid color-mix(in srgb, currentColor 14%, transparent); overflow-wrap: anywhere; }
.small-table thead th { opacity: .7; }
.small-table tr:has(+ .note) > * { border-bottom: 0; padding-bottom: 0; }
.small-table .note td { padding-top: 0; font-size: .8rem; text-wrap: pretty;
  color: color-mix(in srgb, currentColor 70%, transparent); }
.small-table .numbers :is(th, td):not(:first-child) { text-align: right; white-space: nowrap; overflow-wrap: normal;
  font-variant-numeric: tabular-nums; width: 1%; }
@media (max-width: 640px) {
  .small-table .numbers thead th:not(:first-child) { white-space: normal; vertical-align: bottom; }
}
</style>
"""


def html_table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], *, notes: Sequence[str] = (), numbers: bool = False
) -> str:
    """HTML of a table whose first column names the rows.

    Args:
        heads: One for each column.
        rows: Texts, as many as heads.
        notes: What is said under the name of each row.
        numbers: All but the names are numbers or short words: right-aligned and never broken.
    """
    head = "".join(f'<th scope="col">{html.escape(one)}</th>' for one in heads)
    body = ""
    for place, (name, *cells) in enumerate(rows):
        body += f'<tr><th scope="row">{html.escape(name)}</th>'
        body += "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"
        if notes:
            body += f'<tr class="note"><td colspan="{len(heads)}">{html.escape(notes[place])}</td></tr>'
    kind = ' class="numbers"' if numbers else ""
    return f'{_STYLE}<div class="small-table"><table{kind}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
