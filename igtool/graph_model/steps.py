"""Operations on their way to ONNX."""

from __future__ import annotations

from dataclasses import dataclass, field

from igtool.graph_model.reading import Tensor

Value = int | float | str | list[int]


@dataclass
class Step:
    """An operation of ONNX: names of tensors in, names of tensors out. An input that is left out is ``""``."""

    op: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Value] = field(default_factory=dict)


@dataclass
class Steps:
    """Operations in an order in which they can be computed, and the tensors that are known beforehand."""

    steps: list[Step] = field(default_factory=list)
    constants: dict[str, Tensor] = field(default_factory=dict)
    inputs: dict[str, list[int]] = field(default_factory=dict)
    outputs: dict[str, list[int]] = field(default_factory=dict)
    """Names and shapes of what goes in and comes out, the first number of which is that of pictures: any."""

    def add(self, op: str, inputs: list[str], output: str, **attributes: Value) -> str:
        """Append an operation with one output, and return the name of that."""
        self.steps.append(Step(op, inputs, [output], attributes))
        return output

    def known(self, name: str, value: Tensor) -> str:
        """Note a tensor that is known beforehand, and return its name."""
        self.constants[name] = value
        return name

    def users(self) -> dict[str, list[Step]]:
        """The operations that take each tensor; one that leaves the graph is also taken by a step without a name."""
        found: dict[str, list[Step]] = {}
        for step in self.steps:
            for name in step.inputs:
                found.setdefault(name, []).append(step)
        for name in self.outputs:
            found.setdefault(name, []).append(Step("", [name], []))
        return found

    def makers(self) -> dict[str, Step]:
        """The operation that makes each tensor."""
        return {name: step for step in self.steps for name in step.outputs}
