"""Settings of language models."""

from __future__ import annotations

from typing import Literal

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings

from igtool.settings.named import named


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
    openai_api_key: SecretStr | None = named(
        "openai_api_key", "key of the provider openai, or of the server at llm_base_url"
    )
    gemini_api_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("gemini_api_key", "IGTOOL_GEMINI_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY"),
        description="key of the provider gemini",
    )
    grok_api_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("grok_api_key", "IGTOOL_GROK_API_KEY", "XAI_API_KEY", "GROK_KEY"),
        description="key of the provider grok",
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
