"""Settings of where stages are computed."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings


class ClusterSettings(BaseSettings):
    """What concerns the engine."""

    engine: Literal["local", "ray"] = Field(
        "local",
        description="where stages that compute run: local (this machine's processes) or ray (Ray Data, also on several "
        "machines: docs/scale.md)",
    )
    ray_address: str | None = Field(
        None,
        description="the head of a Ray cluster, such as `10.0.0.5:6379`; by default Ray is started on this machine for "
        "the run and stopped after it",
    )
    ray_actors: int | None = Field(
        None, ge=1, le=10_000, description="processes of Ray that a stage runs in; by default one for each processor"
    )
    ray_gpus: float = Field(
        0.0,
        ge=0,
        le=16,
        description="GPUs of each of those where a stage runs a model (texts or pictures); 0.5: two share one",
    )
    ray_memory_mb: int = Field(
        512,
        ge=100,
        le=1_000_000,
        description="memory for pieces on their way, of a Ray that is started on this machine; what does not fit goes "
        "to the temporary folder",
    )
