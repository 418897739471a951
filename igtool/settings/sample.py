"""The files that a new workspace begins with: settings and names of keys, each commented out."""

from __future__ import annotations

import json
from textwrap import fill
from typing import Any

from igtool.settings import Settings, environment_names

EXAMPLES: dict[str, Any] = {
    "sources": ["instagram_web", "youtube"],
    "rate_limit": 10.0,
    "batch_size": 100,
    "batch_pause_s": 1800.0,
    "post_pages": None,
    "pictures": None,
    "provider": "ollama",
    "chat_model": "llama3.2",
    "llm": None,
    "max_cost_usd": 5.0,
    "retention": {"raw_responses": "180d", "snapshots": "7d"},
    "alert_command": "mail -s igtool me@example.com",
}
"""The settings that people change first, each with an example where it has no default that a file can hold."""

KEYS = {
    "tikhub_api_token": "tikhub.io",
    "instagram_graph_token": "an app at developers.facebook.com with access to your professional account",
    "instagram_graph_user_id": "the same app: GET /me/accounts, then instagram_business_account of your page",
    "youtube_api_keys": "a project at console.cloud.google.com with the YouTube Data API v3",
    "openai_api_key": "platform.openai.com",
    "gemini_api_key": "aistudio.google.com",
    "grok_api_key": "console.x.ai",
}
"""What goes into .env, and where each is got."""

_TOML = """\
# Settings of this workspace. A line counts without its #. All there are: `igtool config show`.
# Keys do not belong here: they go into .env.
"""
_ENV = """\
# Keys, for you alone: nobody else may read this file. A line counts without its #, the key behind the =.
# Each is for the source or the model that it names and for nothing else. The environment goes before this file.
"""
_IGNORED = "# What igtool makes, and keys: none of it belongs into git.\n/data/\n/cache/\n/models/\n/.env\n"


def starting_files() -> dict[str, str]:
    """File name to text, for a workspace that has none of them."""
    return {"igtool.toml": _toml(), ".env": _env(), ".gitignore": _IGNORED}


def _toml() -> str:
    text = _TOML
    for name, example in EXAMPLES.items():
        field = Settings.model_fields[name]
        kind = "the default" if example is None else "an example; by default nothing is set"
        value = field.default if example is None else example
        text += f"\n{_comment(str(field.description))}#{name} = {_value(value)}  # {kind}\n"
    return text


def _env() -> str:
    text = _ENV
    for name, place in KEYS.items():
        told = _comment(f"{Settings.model_fields[name].description}; from {place}")
        text += f"\n{told}#{environment_names(name)[0]}=\n"
    return text


def _comment(text: str) -> str:
    return fill(text, 118, initial_indent="# ", subsequent_indent="#   ", break_on_hyphens=False) + "\n"


def _value(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_value(one)}' for key, one in value.items())} }}"
    return json.dumps(value)
