"""Pages from templates: everything that is put into one is escaped."""

import json
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from emobox_hf.report.protocol import MEANINGS
from emobox_hf.report.site.matrices import N_SHADES, shade_share
from emobox_hf.report.table import Cell, show

_ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "<>&"}


def render(template: str, **values: Any) -> str:
    """A page from `templates/<template>.html.jinja`."""
    return _environment().get_template(f"{template}.html.jinja").render(**values)


def to_script(data: Any) -> Markup:
    r"""JSON that can stand in a `<script>` element, whatever the strings in it say; beyond ASCII everything is escaped.

    >>> print(to_script("</script>&\u2028"))
    "\u003c/script\u003e\u0026\u2028"
    """
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return Markup(text.translate(_ESCAPES))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("emobox_hf.report.site"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    environment.filters |= {"number": _number, "to_script": to_script, "shade": shade_share, "minutes": _minutes}
    environment.globals |= {"n_shades": N_SHADES, "meanings": MEANINGS}
    return environment


def _number(cell: Cell, decimals: int = 1) -> str:
    """A number as text, with its interval where it has one; a dash where there is none."""
    return "–" if cell is None else show(float(cell) if isinstance(cell, int) else cell, decimals)


def _minutes(created: str) -> str:
    """A time in ISO 8601, UTC, for people: `2026-01-01 00:00 UTC`."""
    return f"{created[:16].replace('T', ' ')} UTC"
