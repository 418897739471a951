"""Makes steps fewer without changing what comes out."""

from __future__ import annotations

import numpy as np

from igtool.graph_model.operations import TO_ROWS
from igtool.graph_model.steps import Step, Steps

_AROUND = 2
"""Numbers of a padding that are of pictures and channels, at each end."""


def tidy(made: Steps) -> None:
    """Join biases and borders to the operations they belong to, and drop changes of layout that cancel each other."""
    _join_biases(made)
    _cancel_transposes(made)
    _drop_unused(made)
    _join_borders(made)
    _drop_unused(made)


def _alone(users: dict[str, list[Step]], makers: dict[str, Step], name: str, op: str) -> Step | None:
    """The step ``op`` that makes ``name``, if nothing but one step takes it."""
    maker = makers.get(name)
    return maker if maker and maker.op == op and len(users[name]) == 1 else None


def _join_biases(made: Steps) -> None:
    """A number a channel that is added to a convolution with rows first becomes a part of the convolution."""
    users, makers = made.users(), made.makers()
    for step in [each for each in made.steps if each.op == "Add"]:
        value, bias = step.inputs
        layout = _alone(users, makers, value, "Transpose")
        convolution = layout and _alone(users, makers, layout.inputs[0], "Conv")
        if layout is None or convolution is None or bias not in made.constants or len(convolution.inputs) > _AROUND:
            continue
        channels = made.constants[convolution.inputs[1]].shape[0]
        if layout.attributes["perm"] == TO_ROWS and made.constants[bias].shape == (channels,):
            convolution.inputs.append(bias)
            layout.outputs = step.outputs
            made.steps.remove(step)


def _cancel_transposes(made: Steps) -> None:
    """Two changes of layout after each other are one, or none."""
    makers = made.makers()
    same: dict[str, str] = {}
    for step in made.steps:
        step.inputs = [same.get(name, name) for name in step.inputs]
        before = makers.get(step.inputs[0]) if step.op == "Transpose" else None
        if before is None or before.op != "Transpose":
            continue
        first, second = before.attributes["perm"], step.attributes["perm"]
        if not isinstance(first, list) or not isinstance(second, list):
            continue
        together = [first[place] for place in second]
        if together == sorted(together) and step.outputs[0] not in made.outputs:
            same[step.outputs[0]] = before.inputs[0]
        else:
            step.inputs, step.attributes["perm"] = before.inputs, together
    made.steps = [step for step in made.steps if step.outputs[0] not in same]


def _join_borders(made: Steps) -> None:
    """A border of zeros becomes a part of the convolution after it, one of nothing a part of the maximum after it."""
    users, makers = made.users(), made.makers()
    fillings = {"Conv": 0.0, "MaxPool": -np.inf}
    for step in [each for each in made.steps if each.op in fillings]:
        border = _alone(users, makers, step.inputs[0], "Pad")
        pads = step.attributes.get("pads")
        if border is None or not isinstance(pads, list):
            continue
        sizes = made.constants[border.inputs[1]].tolist()
        half = len(sizes) // 2
        if made.constants[border.inputs[2]] != fillings[step.op] or any(sizes[:_AROUND] + sizes[half : half + _AROUND]):
            continue
        added = sizes[_AROUND:half] + sizes[half + _AROUND :]
        # ONNX Runtime takes no maximum over a border alone.
        if min(added) < 0 or (step.op == "MaxPool" and max(added) >= min(_sizes(step))):
            continue
        step.attributes["pads"] = [there + more for there, more in zip(pads, added, strict=True)]
        step.inputs[0] = border.inputs[0]
        made.steps.remove(border)


def _drop_unused(made: Steps) -> None:
    """Steps and constants that nothing takes go."""
    wanted = set(made.outputs)
    kept = []
    for step in reversed(made.steps):
        if wanted.intersection(step.outputs):
            wanted.update(step.inputs)
            kept.append(step)
    made.steps = kept[::-1]
    made.constants = {name: value for name, value in made.constants.items() if name in wanted}


def _sizes(step: Step) -> list[int]:
    found = step.attributes["kernel_shape"]
    return found if isinstance(found, list) else []
