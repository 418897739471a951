"""Texts to vectors by OpenAI, or by any server that speaks like it (llama-server, vLLM, TEI, Ollama, LM Studio)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from igtool.encoders.base import Encoder, EncoderOptions, Vectors
from igtool.errors import ConfigError
from igtool.llms.base import ProviderOptions
from igtool.llms.embeddings import Embeddings


class OpenAIEncoder(Encoder):
    """A model behind a network. `igtool.asking.encoding` charges its calls and keeps what they answer.

    Raises ConfigError where the settings name no model, or one whose dimension nobody knows.
    """

    most_texts = 128
    """Of one call."""

    def __init__(self, options: EncoderOptions | None = None) -> None:
        super().__init__(options)
        name = self.options.name or ""
        if not name.strip():
            raise ConfigError(
                "the encoder openai has to be told which model to ask: put the line EMBEDDING_MODEL=NAME into .env"
            )
        dimension = self.options.dimension or Embeddings.native.get(name)
        if dimension is None:
            raise ConfigError(
                f"how many numbers a vector of {name} has is not known: set embedding_dimension in igtool.toml"
            )
        self.dimension = dimension
        self.model = f"openai/{name}@{dimension}"
        provider_options = ProviderOptions(
            api_key=self.options.api_key,
            base_url=self.options.base_url,
            timeout_s=self.options.timeout_s,
            max_answer_bytes=max(4 << 20, self.most_texts * dimension * 32),
            allow_loopback=self.options.allow_loopback,
        )
        self.provider = Embeddings(name, provider_options, dimension)

    def embed(self, texts: Sequence[str], *, is_query: bool) -> Vectors:  # noqa: ARG002 - these models know no queries
        """Vectors of shape (len(texts), dimension), charged to nobody. Raises ProviderError, ConfigError."""
        parts = [np.empty((0, self.dimension), dtype=np.float32)]
        for start in range(0, len(texts), self.most_texts):
            answer = self.provider.vectors(texts[start : start + self.most_texts])
            if answer.trouble:
                raise ConfigError(f"the encoder {self.model} {answer.trouble}")
            parts.append(answer.vectors)
        return np.concatenate(parts)
