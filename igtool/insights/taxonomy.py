"""The stable taxonomy of topics, `clusters.toml`, checked when loaded."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from igtool import vocabulary
from igtool.errors import ConfigError
from igtool.vocabulary import Label

FILE = Path(vocabulary.__file__).parent / "clusters.toml"
GROUPS = ("customer", "agent", "community")
_FIELDS = frozenset({"label", "label_es", "group", "wider", "words", "words_es", "prototypes"})


@dataclass(frozen=True)
class Taxonomy:
    """Every cluster by slug, in the order of the file."""

    labels: dict[str, Label]
    groups: dict[str, str]
    wider: dict[str, str]
    """Narrow cluster to the one that holds wherever it does."""
    fingerprint: str
    """SHA-256 of the file."""

    @property
    def slugs(self) -> tuple[str, ...]:
        """All slugs, in the order of the file."""
        return tuple(self.labels)

    @property
    def sentences(self) -> list[tuple[str, str]]:
        """Slug and sentence of every prototype, in the order of the file."""
        return [(slug, text) for slug, label in self.labels.items() for text in label.prototypes]


@lru_cache(maxsize=1)
def load() -> Taxonomy:
    """The taxonomy that ships with igtool, read once per process. Raises ConfigError."""
    return read(FILE)


def read(path: Path) -> Taxonomy:
    """The taxonomy in ``path``.

    Raises ConfigError naming the file, the cluster and the fix: an unknown field or group, a wider cluster that is
    none or has itself a wider one, fewer than two prototypes, or a name of something that igtool never infers.
    """
    try:
        content = path.read_bytes()
        tables = tomllib.loads(content.decode())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path.name}: cannot be read as TOML: {error}") from error
    labels = {slug: _label(f"{path.name}: [{slug}]", slug, table) for slug, table in tables.items()}
    wider = {slug: str(table["wider"]) for slug, table in tables.items() if "wider" in table}
    for slug, other in wider.items():
        if other not in labels or other in wider or other == slug:
            raise ConfigError(f"{path.name}: [{slug}]: wider {other!r} is not a cluster that has itself no wider one")
    groups = {slug: str(table["group"]) for slug, table in tables.items()}
    return Taxonomy(labels, groups, wider, hashlib.sha256(content).hexdigest())


def _label(where: str, slug: str, table: Any) -> Label:
    label = vocabulary.read_label(where, slug, table, _FIELDS, vocabulary.load().is_denied)
    if table.get("group") not in GROUPS:
        raise ConfigError(f"{where}: group must be one of {', '.join(GROUPS)}")
    if len(label.prototypes) < 2:
        raise ConfigError(f"{where} needs at least two prototype sentences")
    return label
