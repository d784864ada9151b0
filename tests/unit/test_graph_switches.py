from __future__ import annotations

import pytest
import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef

from model_store.graphs.heads import Head, Shape
from model_store.graphs.node_graph import NodeGraph
from model_store.graphs.switches import Value, switch_value


def value_of(name: str, dtype: tf.DType, shape: Shape = (), *, default: str | None = None) -> Value | None:
    graph_def = GraphDef()
    graph_def.node.add(name=name, op="Placeholder")
    return switch_value(NodeGraph.of(graph_def), name, Head(dtype, shape, default))


@pytest.mark.parametrize(
    "name",
    [
        *("is_training", "training", "IsTraining", "net/is_training_1", "is_train", "train", "train_mode", "phase"),
        *("phase_train", "training_phase", "keras_learning_phase", "bn_train", "use_dropout", "in_training_mode"),
    ],
)
def test_booleans_that_tell_of_training_are_false_in_use(name: str) -> None:
    assert value_of(name, tf.bool) is False
    assert value_of(name, tf.bool, None) is False


@pytest.mark.parametrize("name", ["is_test", "testing", "inference", "is_eval", "eval_mode", "predict", "is_inference"])
def test_booleans_that_tell_of_use_are_true(name: str) -> None:
    assert value_of(name, tf.bool) is True


@pytest.mark.parametrize("name", ["keep_prob", "keep", "dropout_keep_prob", "keep_rate", "keep_prob_2", "rnn_keepprob"])
@pytest.mark.parametrize("dtype", [tf.float32, tf.float16, tf.int32])
def test_what_is_kept_is_all_in_use(name: str, dtype: tf.DType) -> None:
    assert value_of(name, dtype) == 1
    assert value_of(name, dtype, None) == 1


@pytest.mark.parametrize(
    ("name", "dtype", "shape"),
    [
        *(("is_training", tf.bool, (None,)), ("keep_prob", tf.float32, (None, 3)), ("train", tf.float32, None)),
        *(("threshold", tf.float32, ()), ("learning_rate", tf.float32, ()), ("trainer", tf.bool, ())),
        *(("is_not_training", tf.bool, ()), ("housekeeping", tf.float32, ()), ("training", tf.string, ())),
        *(("dropout", tf.float32, ()), ("batch_size", tf.int32, ()), ("image", tf.float32, None)),
    ],
)
def test_other_heads_are_no_switches(name: str, dtype: tf.DType, shape: Shape) -> None:
    assert value_of(name, dtype, shape) is None
