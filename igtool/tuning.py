"""Weights of a search fitted to judgements of this workspace's user, and written to its settings when asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from igtool.errors import ConfigError, UsageError
from igtool.files import replaced, storage_error
from igtool.notes import creators_of_handles
from igtool.search.answer import Query
from igtool.search.judged import Tuning, judge, read_judgements, tune
from igtool.search.score import Weights
from igtool.searching import Searcher
from igtool.settings import Settings

_SETTING = "search_weights"


def tune_weights(searcher: Searcher, path: Path) -> Tuning:
    """What `igtool.search.judged.tune` finds for the judgements in the CSV file ``path``.

    Raises UsageError: a file that cannot be read, creators that are not here, too few queries.
    """
    judgements = read_judgements(path)
    names = sorted({name for graded in judgements.values() for name in graded})
    ids = creators_of_handles(searcher.lake, names)
    if not ids:
        raise UsageError(f"none of the {len(names)} creators that {path} judges is in this database")

    def inputs(text: str, also: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
        return searcher.inputs(Query(text), also)

    return tune(judge(judgements, inputs, ids), searcher.weights())


def write_weights(settings: Settings, weights: Weights) -> Path:
    """Put ``weights`` into igtool.toml, beside whatever stands there; its path. Raises ConfigError, StorageError."""
    path = settings.workspace / "igtool.toml"
    try:
        document = tomlkit.parse(path.read_text(encoding="utf-8")) if path.exists() else tomlkit.document()
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no TOML file: {error}") from error
    except OSError as error:
        raise storage_error(error, path) from error
    document[_SETTING] = asdict(weights)
    with replaced(path) as file:
        file.write(tomlkit.dumps(document).encode())
    return path
