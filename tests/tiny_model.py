"""A model file of 100 KB that the tests make themselves: byte-level words, random weights, real format."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TOOL = "<tool_call>"
CONTEXT = 4096
_TEMPLATE = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
_WIDTH, _INNER, _ALIGNMENT = 32, 64, 32


def text(value: str | bytes) -> bytes:
    """A text of the format: its length and its bytes."""
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(raw)) + raw


def value(item: Any) -> bytes:
    """A value of the metadata with its type."""
    if isinstance(item, bool):
        return struct.pack("<I?", 7, item)
    if isinstance(item, int):
        return struct.pack("<II", 4, item)
    if isinstance(item, float):
        return struct.pack("<If", 6, item)
    if isinstance(item, str):
        return struct.pack("<I", 8) + text(item)
    if item and isinstance(item[0], int):
        return struct.pack(f"<IIQ{len(item)}i", 9, 5, len(item), *item)
    if item and isinstance(item[0], float):
        return struct.pack(f"<IIQ{len(item)}f", 9, 6, len(item), *item)
    return struct.pack("<IIQ", 9, 8, len(item)) + b"".join(map(text, item))


def gguf(metadata: Mapping[str, Any], tensors: Mapping[str, np.ndarray], *, version: int = 3) -> bytes:
    """A GGUF file with 32-bit weights."""
    head = [b"GGUF", struct.pack("<IQQ", version, len(tensors), len(metadata))]
    head += [text(name) + value(item) for name, item in metadata.items()]
    data = b""
    for name, tensor in tensors.items():
        shape = struct.pack(f"<I{tensor.ndim}Q", tensor.ndim, *reversed(tensor.shape))
        head.append(text(name) + shape + struct.pack("<IQ", 0, len(data)))
        data += padded(tensor.astype("<f4").tobytes())
    return padded(b"".join(head)) + data


def padded(content: bytes) -> bytes:
    """``content`` up to the next place where a part may begin."""
    return content + bytes(-len(content) % _ALIGNMENT)


def byte_words() -> list[str]:
    """The 256 words that stand for single bytes, as byte-level vocabularies write them."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    names = {byte: chr(byte) for byte in shown} | {byte: chr(256 + place) for place, byte in enumerate(hidden)}
    return [names[byte] for byte in range(256)]


def metadata(**changes: Any) -> dict[str, Any]:
    """What the tiny model says of itself; ``changes`` by name with dots as double underscores."""
    words = byte_words()
    # The one merge is of two bytes that no text holds, so a text has as many tokens as bytes.
    vocabulary = [*words, words[0xFE] + words[0xFF], *SPECIAL, TOOL]
    first = vocabulary.index(SPECIAL[0])
    found = {
        "general.architecture": "llama",
        "llama.block_count": 1,
        "llama.context_length": CONTEXT,
        "llama.embedding_length": _WIDTH,
        "llama.feed_forward_length": _INNER,
        "llama.attention.head_count": 2,
        "llama.attention.head_count_kv": 2,
        "llama.rope.dimension_count": _WIDTH // 2,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.vocab_size": len(vocabulary),
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "qwen2",
        "tokenizer.ggml.tokens": vocabulary,
        "tokenizer.ggml.token_type": [1] * first + [3] * len(SPECIAL) + [4],
        "tokenizer.ggml.merges": [f"{words[0xFE]} {words[0xFF]}"],
        "tokenizer.ggml.eos_token_id": first + 2,
        "tokenizer.ggml.bos_token_id": first,
        "tokenizer.ggml.padding_token_id": first,
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": _TEMPLATE,
    }
    return found | {name.replace("__", "."): item for name, item in changes.items()}


def weights(words: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Random weights of one layer."""
    random = np.random.default_rng(seed)
    shapes = {"attn_q": _WIDTH, "attn_k": _WIDTH, "attn_v": _WIDTH, "attn_output": _WIDTH, "ffn_gate": _INNER}
    shapes |= {"ffn_up": _INNER}
    found = {f"blk.0.{name}.weight": random.normal(0, 0.3, (rows, _WIDTH)) for name, rows in shapes.items()}
    found["blk.0.ffn_down.weight"] = random.normal(0, 0.3, (_WIDTH, _INNER))
    found |= {
        name: np.ones(_WIDTH) for name in ("output_norm.weight", "blk.0.attn_norm.weight", "blk.0.ffn_norm.weight")
    }
    return found | {name: random.normal(0, 0.3, (words, _WIDTH)) for name in ("token_embd.weight", "output.weight")}


def tiny_model(path: Path, seed: int = 0, **changes: Any) -> Path:
    """Write the tiny model to ``path``."""
    found = metadata(**changes)
    path.write_bytes(gguf(found, weights(len(found["tokenizer.ggml.tokens"]), seed)))
    return path


def tiny_projector(path: Path, **changes: Any) -> Path:
    """Write to ``path`` what makes four tokens of a picture for the tiny model, in the form of Gemma 3."""
    width, inner, side, patch = 16, 32, 112, 14
    of_pictures = {
        "image_size": side,
        "patch_size": patch,
        "embedding_length": width,
        "feed_forward_length": inner,
        "projection_dim": _WIDTH,
        "block_count": 1,
        "attention.head_count": 2,
        "attention.layer_norm_epsilon": 1e-6,
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
    }
    said = {"general.architecture": "clip", "clip.has_vision_encoder": True, "clip.projector_type": "gemma3"}
    said |= {"clip.use_gelu": True} | {f"clip.vision.{name}": item for name, item in of_pictures.items()}
    random = np.random.default_rng(1)
    shapes = {"v.patch_embd.weight": (width, 3, patch, patch), "v.position_embd.weight": ((side // patch) ** 2, width)}
    shapes |= {"mm.input_projection.weight": (width, _WIDTH)}
    shapes |= {f"v.blk.0.{name}.weight": (width, width) for name in ("attn_q", "attn_k", "attn_v", "attn_out")}
    shapes |= {"v.blk.0.ffn_up.weight": (inner, width), "v.blk.0.ffn_down.weight": (width, inner)}
    found = {name: random.normal(0, 0.3, shape) for name, shape in shapes.items()}
    found |= {f"v.blk.0.{name}.weight": np.ones(width) for name in ("ln1", "ln2")}
    found |= {"v.post_ln.weight": np.ones(width), "mm.soft_emb_norm.weight": np.ones(width)}
    biased = [name for name in found if name.startswith(("v.blk", "v.patch", "v.post"))]
    found |= {name.replace(".weight", ".bias"): np.zeros(len(found[name])) for name in biased}
    path.write_bytes(gguf(said | {name.replace("__", "."): item for name, item in changes.items()}, found))
    return path
