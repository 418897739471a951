"""Settings of live platforms."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

from igtool.settings.named import named


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
    tikhub_api_token: SecretStr | None = named("tikhub_api_token", "key of the source tikhub")
    instagram_graph_token: SecretStr | None = named(
        "instagram_graph_token", "access token of the source instagram_graph"
    )
    instagram_graph_user_id: str | None = named(
        "instagram_graph_user_id", "id of your own Instagram professional account, which asks for others"
    )
    youtube_api_keys: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices(
            "youtube_api_keys", "IGTOOL_YOUTUBE_API_KEYS", "YOUTUBE_API_KEYS", "YOUTUBE_API_KEY"
        ),
        description="keys of the source youtube, with commas between them",
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
    alert_command: SecretStr | None = Field(
        None, description="command that `status --check` starts with its findings on stdin"
    )
    alert_webhook: SecretStr | None = Field(None, description="address that `status --check` posts its findings to")

    @field_validator("instagram_web_url", "instagram_graph_url", "tikhub_base_url", "youtube_url")
    @classmethod
    def _address(cls, value: str) -> str:
        """A base URL with scheme and host, without a slash at its end."""
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            shown = "the value" if "@" in value else repr(value)  # what stands before @ may be a password
            raise ValueError(f"{shown} is no address: it must begin with https:// and name a host")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("an address with a user, password, query or fragment in it is not taken")
        return value.rstrip("/")
