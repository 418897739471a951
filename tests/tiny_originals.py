"""A tiny SigLIP, SigLIP 2 and CLIP with random weights and real tokenizers, as folders that transformers reads."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_WORDS = "a photo of person with hair dressed in style an image picture the and red blue green cat dog tokyo e-girl"
_VISION = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
_TEXT = {**_VISION, "vocab_size": 300}
SIDE, PATCH = 32, 8


def siglip(folder: Path, vision: Mapping[str, int] | None = None) -> Path:
    """SigLIP with a tokenizer of SentencePiece; ``vision``: another size of its tower."""
    import sentencepiece
    from transformers import SiglipImageProcessorPil, SiglipTokenizer

    folder.mkdir(parents=True)
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([_WORDS] * 20),
        model_writer=model,
        vocab_size=60,
        minloglevel=2,
        pad_id=-1,
        bos_id=-1,
        hard_vocab_limit=False,
    )
    (folder / "made.model").write_bytes(model.getvalue())
    SiglipTokenizer(str(folder / "made.model"), model_input_names=["input_ids"]).save_pretrained(folder)
    (folder / "made.model").unlink()
    side = (vision or {}).get("image_size", SIDE)
    SiglipImageProcessorPil(size={"height": side, "width": side}).save_pretrained(folder)
    _siglip_model(folder, vision or {})
    return folder


def siglip2(folder: Path) -> Path:
    """SigLIP 2 of a fixed size: the same model, with a tokenizer of Gemma, which keeps capitals."""
    from transformers import GemmaTokenizer, SiglipImageProcessorPil

    letters = sorted({*_WORDS.replace(" ", ""), *_WORDS.upper().replace(" ", ""), "▁"})
    vocabulary = {piece: place for place, piece in enumerate(["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *letters])}
    tokenizer = GemmaTokenizer(vocab=vocabulary, merges=[], padding_side="right", add_bos_token=False)
    folder.mkdir(parents=True)
    tokenizer.save_pretrained(folder)
    SiglipImageProcessorPil(size={"height": SIDE, "width": SIDE}, resample=2).save_pretrained(folder)
    _siglip_model(folder, {})
    return folder


def clip(folder: Path) -> Path:
    """CLIP with a tokenizer of bytes in pairs."""
    import torch
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

    letters = sorted(ByteLevel.alphabet())
    pieces = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True)
    CLIPTokenizer(vocab={piece: place for place, piece in enumerate(pieces)}, merges=[]).save_pretrained(folder)
    sizes: dict[str, Any] = {"size": {"shortest_edge": SIDE}, "crop_size": {"height": SIDE, "width": SIDE}}
    CLIPImageProcessorPil(**sizes).save_pretrained(folder)
    ends = {"bos_token_id": len(pieces) - 2, "eos_token_id": len(pieces) - 1, "pad_token_id": len(pieces) - 1}
    text = {**_TEXT, "vocab_size": len(pieces), "max_position_embeddings": 77, **ends}
    vision = {**_VISION, "image_size": SIDE, "patch_size": PATCH}
    torch.manual_seed(1)
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=24))
    for parameter in model.parameters():  # as they come they are so small that all pictures look alike
        parameter.data *= 5 if parameter.ndim > 1 else 1
    model.save_pretrained(folder)
    return folder


def _siglip_model(folder: Path, vision: Mapping[str, int]) -> None:
    import torch
    from transformers import SiglipConfig, SiglipModel

    tower = {**_VISION, "image_size": SIDE, "patch_size": PATCH, **vision}
    torch.manual_seed(1)
    model = SiglipModel(SiglipConfig(text_config={**_TEXT, "max_position_embeddings": 64}, vision_config=tower))
    model.logit_scale.data.fill_(2.5)
    model.logit_bias.data.fill_(-8.0)
    model.save_pretrained(folder)
