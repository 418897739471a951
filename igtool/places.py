"""Where a lake lies: what of it is on this machine, its catalog, its data files. Settings say it, the lake opens it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from igtool.errors import ConfigError

_PAIR = re.compile(r"\s*([a-z_]+)\s*=\s*('(?:[^'\\]|\\.)*'|[^\s']*)(?=\s|$)")
_SCHEMES = ("postgresql://", "postgres://")
_BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^/?#*\[\]]+)+")


@dataclass(frozen=True)
class StoreAccess:
    """How an object store is asked; secrets are not shown."""

    key_id: str | None = None
    secret: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    region: str | None = None
    endpoint: str | None = None
    path_style: bool = False


@dataclass(frozen=True)
class LakePlace:
    """A lake: ``folder`` holds what belongs to this machine (locks, exports, index) and, by default, everything.

    ``catalog``: libpq's keywords of a PostgreSQL database; None: SQLite in the folder. ``data_path``: an absolute
    folder or ``s3://BUCKET/PREFIX``; None: the folder.
    """

    folder: Path
    catalog: str | None = None
    password: str | None = field(default=None, repr=False)
    data_path: str | None = None
    access: StoreAccess = StoreAccess()

    @property
    def is_usual(self) -> bool:
        """Whether all of it is files in the folder."""
        return self.catalog is None and self.data_path is None

    @property
    def marker(self) -> Path:
        """The file that tells which lake this is; of a shared catalog it holds what that said last."""
        return self.folder / ("lake.json" if self.catalog is None else "lake.shared.json")

    @property
    def is_made(self) -> bool:
        """Whether there may be a lake: of a shared catalog only opening it tells."""
        return self.catalog is not None or self.marker.exists()

    def check_usual(self, what: str, instead: str) -> None:
        """Raises ConfigError where ``what`` is not done for a lake that is not all here, with what to do instead."""
        if not self.is_usual:
            places = " and ".join(
                name for name, value in (("catalog", self.catalog), ("data_path", self.data_path)) if value
            )
            raise ConfigError(f"{what} is for a lake that lies in data/, and the settings name {places}: {instead}")


def conninfo(text: str) -> str:
    """The keywords of libpq in the setting ``catalog``: ``postgres:KEYWORDS`` or ``postgresql://USER@HOST:PORT/DATABASE``.

    Raises ValueError, without the text where it holds a password.
    """
    pairs = _of_url(text) if text.startswith(_SCHEMES) else _of_keywords(text)
    if any("password" in name or name in ("passfile", "sslpassword") for name in pairs):
        raise ValueError("a password does not belong into it: set catalog_password in .env, or PGPASSWORD")
    if "dbname" not in pairs:
        raise ValueError("it must name a database: postgres:host=… dbname=… user=…")
    if "application_name" in pairs or "options" in pairs:
        raise ValueError("application_name and options are igtool's own")
    return " ".join(f"{name}={_quoted(value)}" for name, value in pairs.items())


def _of_url(text: str) -> dict[str, str]:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError("it is no address of a PostgreSQL database") from error
    if parts.password is not None:
        return {"password": ""}
    named = {
        "host": parts.hostname,
        "port": str(port) if port else None,
        "user": unquote(parts.username) if parts.username else None,
        "dbname": unquote(parts.path.lstrip("/")) or None,
    }
    return {name: value for name, value in named.items() if value} | dict(parse_qsl(parts.query))


def _of_keywords(text: str) -> dict[str, str]:
    rest = text.removeprefix("postgres:")
    if rest == text:
        raise ValueError("it must begin with postgres: or postgresql://")
    pairs, at = {}, 0
    while at < len(rest.rstrip()):
        found = _PAIR.match(rest, at)
        if found is None:
            raise ValueError("it must be keywords of libpq: postgres:host=… port=… dbname=… user=…")
        value = found[2]
        pairs[found[1]] = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith("'") else value
        at = found.end()
    return pairs


def _quoted(value: str) -> str:
    if re.fullmatch(r"[\w.:/@+-]+", value):
        return value
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def data_url(text: str) -> str:
    """The setting ``data_path`` without a slash at its end: ``s3://BUCKET/PREFIX`` or an absolute folder.

    Raises ValueError.
    """
    text = text.rstrip("/")
    if text.startswith("s3://"):
        if not _BUCKET.fullmatch(text) or "/../" in f"{text}/" or "/./" in f"{text}/":
            raise ValueError("it must be s3://BUCKET/PREFIX, with a prefix that nothing else uses, without *, ?, [, #")
        return text
    if "://" in text or not Path(text).is_absolute():
        raise ValueError("it must be s3://BUCKET/PREFIX or an absolute folder")
    return text
