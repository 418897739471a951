"""Weights made fit for 8 bits: what sticks out of activations is moved into weights. Imports torch.

Trained models have a few channels that are many times as large as the others. With one scale for all, 8 bits leave
nothing of the others. Dividing what goes into a product by a number for each channel, and multiplying the weights by
it, changes no result: SmoothQuant (https://arxiv.org/abs/2211.10438), equation 4, with half of it moved.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import torch

from igtool.tower_export.original import Original

_MOVED = 0.5
_LEAST = 1e-5
_MOST = 1e4


def smooth(original: Original, model: Any, pictures: Any) -> None:
    """Change the weights of the tower of ``model`` in place; its vectors stay what they are.

    ``pictures``: some of the model's size, to see which channels are large.
    """
    groups = list(_groups(model))
    largest = _largest(original, model, [after[0] for _, after in groups], pictures)
    with torch.no_grad():
        for (before, after), seen in zip(groups, largest, strict=True):
            weights = torch.stack([each.weight.abs().amax(dim=0) for each in after]).amax(dim=0)
            by = seen.clamp(min=_LEAST) ** _MOVED / weights.clamp(min=_LEAST) ** (1 - _MOVED)
            by = by.clamp(1 / _MOST, _MOST)
            before.weight.div_(by if before.weight.ndim == 1 else by[:, None])
            before.bias.div_(by)
            for each in after:
                each.weight.mul_(by)


def _groups(model: Any) -> Iterator[tuple[Any, Sequence[Any]]]:
    """What can be divided, with the products that its result goes into and nothing else."""
    for layer in model.vision_model.encoder.layers:
        attention = layer.self_attn
        yield layer.layer_norm1, (attention.q_proj, attention.k_proj, attention.v_proj)
        yield layer.layer_norm2, (layer.mlp.fc1,)
        # Attention is a mean of values, so it passes what they are divided by.
        yield attention.v_proj, (attention.out_proj,)


def _largest(original: Original, model: Any, products: Sequence[Any], pictures: Any) -> list[Any]:
    """The largest size of each channel that goes into each of ``products``."""
    found: dict[int, Any] = {}

    def look(module: Any, given: tuple[Any, ...]) -> None:
        found[id(module)] = given[0].abs().flatten(0, -2).amax(dim=0)

    with ExitStack() as stack, torch.no_grad():
        for product in products:
            stack.callback(product.register_forward_pre_hook(look).remove)
        model.get_image_features(pixel_values=original.planes(pictures))
    return [found[id(product)] for product in products]
