"""A TensorFlow.js graph model as an ONNX file.

A graph model is two files: a JSON file with the operations and the list of weights, and the weights one after the
other. What comes out has 32-bit weights, any number of pictures at once, and the layout of channels before rows that
ONNX Runtime wants: constant parts are computed, and changes of layout that cancel each other are left out. The same
two files always give the same bytes.

Formats: https://github.com/tensorflow/tfjs/blob/master/tfjs-core/src/io/types.ts (weights and their quantization),
https://github.com/onnx/onnx/blob/main/docs/Operators.md. Only the operations that convolutional detectors consist of
are known; any other is refused by its name.
"""

from igtool.graph_model.conversion import convert

__all__ = ["convert"]
