"""Modules import only from their own layer's base or from layers below (DESIGN §2)."""

from __future__ import annotations

import ast
from pathlib import Path

import igtool

ROOT = Path(igtool.__file__).parent

ORDER = (
    (
        "errors",
        "schema",
        "text",
        "counts",
        "vocabulary",
        "clock",
        "pacing",
        "throttle",
        "calibration",
        "weights",
        "shards",
    ),
    ("pooling", "views", "lake_sql", "genres", "engagement", "posting", "facts", "known_handles"),
    (
        "arrow",
        "files",
        "places",
        "retention",
        "gguf",
        "packed_e5",
        "unigram",
        "extensions",
        "language",
        "model_entries",
        "graph_model",
    ),
    ("journal", "settings", "registry", "lists", "progress", "http"),
    ("models", "model_headers", "model_packages", "model_files", "inference"),
    (
        "lake_errors",
        "lake_tables",
        "lake_migrations",
        "lake_catalogs",
        "lake_postgres",
        "lake_stores",
        "lake_files",
        "lake",
        "lake_portable",
        "lake_sandbox",
    ),
    (
        "platforms",
        "identity",
        "drift",
        "encoders",
        "vision",
        "tagging",
        "llms",
        "zero_shot",
        "topics",
        "portrait",
        "description",
        "insights",
        "tiers",
    ),
    ("pictures", "tower_export"),
    ("stages",),
    ("workers", "search", "charts", "asking", "changes", "forgotten"),
    ("pieces", "cluster"),
    ("runner", "settling", "auditing", "outbox"),
    ("embedded",),
    (
        "session",
        "history",
        "notes",
        "tenants",
        "consent",
        "reviews",
        "importing",
        "export",
        "fill",
        "report",
        "health",
        "guarded_sql",
        "explaining",
        "examples",
    ),
    ("pipeline", "rebuild", "disposal", "watchlist", "fetching", "given_pictures", "given_style"),
    ("integrity", "backups", "moving"),
    ("enrich", "schedule", "outlay", "conversations", "searching", "linking", "erase"),
    ("workspace", "shown_prompts", "tuning"),
    ("console", "serve", "commands", "cli"),
)
"""Lowest first; a module may import its own row and every row above it in this list."""

RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}


def imports() -> list[tuple[str, str, Path]]:
    """(importing module, imported module, file) for every import of igtool inside igtool, lazy ones too."""
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        module = path.relative_to(ROOT).with_suffix("").parts[0]
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "igtool":
                parts = node.module.split(".")
                names = [parts[1]] if len(parts) > 1 else [alias.name for alias in node.names]
            elif isinstance(node, ast.Import):
                names = [a.name.split(".")[1] for a in node.names if a.name.startswith("igtool.")]
            found += [(module, name, path) for name in names]
    return found


def test_every_module_has_a_layer() -> None:
    """A new module is given its place on purpose."""
    modules = {path.relative_to(ROOT).with_suffix("").parts[0] for path in ROOT.rglob("*.py")} - {"__init__"}
    assert modules == set(RANK)


def test_imports_point_down() -> None:
    """No module imports from a layer above its own."""
    upward = [
        f"{path.relative_to(ROOT)} imports {name}"
        for module, name, path in imports()
        if module != "__init__" and name in RANK and RANK[name] > RANK[module]
    ]
    assert upward == []


def test_stages_and_plugins_do_not_import_each_other() -> None:
    """Stages meet only through tables; plugins not at all."""
    wrong = []
    for family, shared in (("stages", {"base"}), ("encoders", {"base"})):
        for path in (ROOT / family).glob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"igtool.{family}."):
                    other = str(node.module).split(".")[2]
                    if other not in shared and path.stem != other:
                        wrong.append(f"{path.name} imports {other}")
    assert wrong == []


def test_only_the_lake_and_the_journal_touch_their_stores() -> None:
    """DuckDB's data files and the journal's SQLite file each have one owner."""
    owners = {
        "duckdb": {"extensions", "health", *(name for name in RANK if name.startswith("lake"))},
        "sqlite3": {"journal"},
    }
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    module = path.relative_to(ROOT).with_suffix("").parts[0]
                    assert module in owners.get(alias.name, {module}), f"{path} imports {alias.name}"


def test_no_file_is_too_long_to_read() -> None:
    """Files stay under 400 lines."""
    long = {str(p.relative_to(ROOT)): n for p in ROOT.rglob("*.py") if (n := len(p.read_text().splitlines())) > 400}
    assert long == {}
