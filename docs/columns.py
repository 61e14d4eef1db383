"""For the site's reference: docstrings set shapes in columns, one a line, which Markdown would run together."""

from __future__ import annotations

import re
from typing import Any

import griffe

COLUMNS = re.compile(r"\S {2,}\S|[├└]")


class Columns(griffe.Extension):
    """Paragraphs with columns become code blocks, whose lines stay as they were written."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called by griffe for every module, class, function and attribute it has read."""
        if obj.docstring:
            paragraphs = obj.docstring.value.split("\n\n")
            obj.docstring.value = "\n\n".join(map(_as_code_if_columns, paragraphs))


def _as_code_if_columns(paragraph: str) -> str:
    lines = paragraph.splitlines()
    if sum(bool(COLUMNS.search(line)) for line in lines) * 2 < len(lines):
        return paragraph
    return "\n".join(("```text", *lines, "```"))
