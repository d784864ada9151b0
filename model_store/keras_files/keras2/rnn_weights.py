"""Values of recurrent layers as other layers laid them out: cuDNN's own, and Keras 1's with one value a gate. Pure.

The layouts are those that the conversion of Keras 2 states (keras/saving/legacy/hdf5_format.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Values = list[tuple[str, np.ndarray]]
Shape = tuple[int, ...]

# Keras 1 has the gates i, c, f, o of an LSTM and z, r, h of a GRU, each with kernel, recurrent kernel and bias.
KERAS_1_GATES = {12: (0, 2, 1, 3), 9: (0, 1, 2)}


def converted(values: Values, shapes: Sequence[Shape]) -> Values:
    """The values of a layer in the layout of Keras 3, whose variables have these shapes; all others as they were."""
    if len(shapes) == 3 and len(values) in KERAS_1_GATES:
        return _joined_gates(values)
    if len(shapes) != len(values):
        return values
    done: Values = []
    while len(done) < len(values):
        # A wrapper or a model within has the values of several layers in a row.
        three = values[len(done) : len(done) + 3]
        gates = _cudnn_gates([value for _, value in three], shapes[len(done) : len(done) + 3])
        done += _from_cudnn(three, shapes[len(done) + 2], gates) if gates else three[:1]
    return done


def _joined_gates(values: Values) -> Values:
    order = KERAS_1_GATES[len(values)]
    kinds = [[values[3 * gate + kind] for gate in order] for kind in range(3)]
    return [(kind[0][0], np.concatenate([value for _, value in kind], axis=-1)) for kind in kinds]


def _cudnn_gates(values: Sequence[np.ndarray], shapes: Sequence[Shape]) -> int:
    """4 where these are the values of a CuDNNLSTM, 3 of a CuDNNGRU, else 0: its biases are twice as many, in a row."""
    if len(values) < 3 or any(value.ndim != 2 for value in values[:2]) or values[2].ndim != 1:
        return 0
    units, biases = len(values[1]), len(values[2])
    for gates, wanted in ((4, (4 * units,)), (3, (2, 3 * units))):
        if biases == 2 * gates * units and shapes[2] == wanted and values[1].shape[1] == gates * units:
            return gates
    return 0


def _from_cudnn(values: Values, bias_shape: Shape, gates: int) -> Values:
    """In the layout of cuDNN each gate's kernels are transposed, and there are two biases, which are added up."""
    (name, kernel), (recurrent_name, recurrent), (bias_name, bias) = values
    kernel = np.hstack([part.T.reshape(part.shape, order="F") for part in np.hsplit(kernel, gates)])
    recurrent = np.hstack([part.T for part in np.hsplit(recurrent, gates)])
    bias = bias.reshape(2, -1)
    if len(bias_shape) == 1:
        bias = bias.sum(axis=0)
    return [(name, kernel), (recurrent_name, recurrent), (bias_name, bias)]
