"""Settings of the server and of the conversations that it accepts."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode

_HOST = re.compile(r"[a-z0-9_.-]{1,253}|[0-9a-f:.]{2,45}")


class ServerSettings(BaseSettings):
    """What concerns ``igtool serve``."""

    serve_requests_per_second: float = Field(
        200,
        gt=0,
        le=100_000,
        description="requests a second that the server takes from one address; twice as many at once",
    )
    serve_timeout_s: float = Field(30, gt=0, le=600, description="seconds after which a request is given up")
    serve_max_body_mb: float = Field(8, gt=0, le=512, description="MB of a request's body; a larger one is refused")
    serve_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="names by which the server may be asked, such as a proxy's; with any, nobody gets in without a key",
    )
    serve_sql: bool = Field(
        False, description="whether ``igtool serve`` answers SQL over what is public of creators, in a sandbox"
    )
    sql_timeout_s: float = Field(
        10, ge=1, le=60, description="seconds after which a query of the server or of an assistant is ended"
    )

    @field_validator("serve_hosts", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        """A text is a list with commas."""
        names = tuple(str(one).strip().lower() for one in (value.split(",") if isinstance(value, str) else value))
        if wrong := next((name for name in names if not _HOST.fullmatch(name)), None):
            raise ValueError(f"{wrong!r} is no name of a host: write creators.example.com, without https:// and port")
        return names


class ConversationSettings(BaseSettings):
    """What concerns conversations that a server accepts."""

    conversation_requests_per_second: int = Field(
        100, ge=1, le=100_000, description="requests about conversations a second that a server takes of each key"
    )
    conversation_queue_limit: int = Field(1_000_000, ge=1, description="conversations that may wait to be analysed")
    conversation_calls_per_second: int = Field(
        10, ge=1, le=10_000, description="calls a second to a language model about conversations that were accepted"
    )
    conversation_max_wait_s: float = Field(
        3600, ge=0, description="seconds until a conversation that waits for a language model is read without it"
    )
    server_key: SecretStr | None = Field(None, description="key for the server that `insights ingest --url` sends to")
