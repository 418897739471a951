"""Loads a DuckDB extension: installed, else bundled in a package, else from the network unless offline."""

from __future__ import annotations

import importlib.util
from contextlib import suppress
from pathlib import Path

import duckdb

from igtool.errors import ConfigError

_EXTRAS = {"postgres_scanner": "postgres", "httpfs": "s3"}


def load_extension(connection: duckdb.DuckDBPyConnection, name: str, *, offline: bool = True) -> str:
    """Load ``name`` and say from where: ``installed``, ``bundled`` or ``network``.

    A bundled file is signed by DuckDB and checked by it; unsigned extensions stay off. Raises ConfigError when no
    way leads to the extension.
    """
    # LOAD would fetch a missing extension by itself, also when igtool is offline.
    connection.execute("set autoinstall_known_extensions = false")
    with suppress(duckdb.Error):
        connection.execute(f'load "{name}"')
        return "installed"
    bundled = bundled_path(name)
    if bundled is None:
        return _from_network(connection, name, offline=offline)
    quoted = str(bundled).replace("'", "''")
    try:
        # As SQL: the method of the same name keeps all other threads waiting for 0.1 s, in which the file is checked.
        connection.execute(f"load '{quoted}'")
    except duckdb.Error as error:
        raise ConfigError(
            f"the DuckDB extension {name} at {bundled} does not load into DuckDB {duckdb.__version__}: "
            f"run `make setup` to install matching versions ({error})"
        ) from error
    return "bundled"


def bundled_path(name: str) -> Path | None:
    """The extension file inside the package ``duckdb-extension-NAME`` of this DuckDB version, if it is there."""
    spec = importlib.util.find_spec(f"duckdb_extension_{name}")
    if spec is None or spec.origin is None:
        return None
    found = Path(spec.origin).parent / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
    return found if found.is_file() else None


def _from_network(connection: duckdb.DuckDBPyConnection, name: str, *, offline: bool) -> str:
    package = f"duckdb-extension-{name.replace('_', '-')}=={duckdb.__version__}"
    if name in _EXTRAS:
        package += f" (pip install 'igtool[{_EXTRAS[name]}]')"
    if offline:
        raise ConfigError(
            f"the DuckDB extension {name} is neither installed nor bundled, and igtool is offline: "
            f"install the package {package}, or set offline = false in igtool.toml"
        )
    try:
        connection.install_extension(name)
        connection.load_extension(name)
    except duckdb.Error as error:
        raise ConfigError(
            f"the DuckDB extension {name} could not be fetched: install the package {package} ({error})"
        ) from error
    return "network"
