"""Settings of pictures."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings


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
