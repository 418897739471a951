"""Writes docs/tables.md from igtool/schema.py; a test holds the two together."""

from __future__ import annotations

from pathlib import Path

from igtool.schema import TABLES, VIEWS

TARGET = Path(__file__).with_name("tables.md")


def tables_page() -> str:
    """The reference of all tables and views as Markdown."""
    lines = [
        "# Tables",
        "",
        "Generated from `igtool/schema.py`. `_id` columns are text, `_at` is UTC, `_count` is NULL when unknown,",
        "`_score` is between 0 and 1.",
    ]
    for table in TABLES.values():
        lines += ["", f"## {table.name}", "", table.doc, f"Key: {', '.join(f'`{key}`' for key in table.key)}.", ""]
        lines += ["| column | type | meaning |", "|---|---|---|"]
        lines += [f"| `{c.name}` | {c.type} | {c.doc.replace('|', chr(92) + '|')} |" for c in table.columns]
    lines += ["", "## Views", ""]
    lines += [f"`{name}`:\n\n```sql\n{query.strip()}\n```\n" for name, query in VIEWS.items()]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    TARGET.write_text(tables_page())
