"""Frozen graphs that take pictures in their files, or serialized examples, and decode them."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.old_graphs import assert_same, graph_def, put_graph, tf1
from tests.opened_models import opened


def jpeg(colour: tuple[int, int, int]) -> bytes:
    file = BytesIO()
    Image.new("RGB", (16, 16), colour).save(file, "JPEG")
    return file.getvalue()


def decoded(content: tf.Tensor) -> None:
    picture = tf.image.decode_jpeg(content, channels=3, name="DecodeJpeg")
    tf.reduce_mean(tf.cast(picture, tf.float32), axis=[0, 1], name="y")


def test_a_picture_that_the_graph_decodes_is_given_as_its_file(tmp_path: Path) -> None:
    graph = graph_def(lambda: decoded(tf1.placeholder(tf.string, (), name="content")))
    put_graph(tmp_path, graph)
    content = {"content": np.array(jpeg((200, 100, 0)), object)}
    assert_same(opened(tmp_path), graph, content, content)


def test_the_constant_that_graphs_of_2015_were_fed_in_place_of_is_an_input(tmp_path: Path) -> None:
    graph = graph_def(lambda: decoded(tf.constant(b"", name="DecodeJpeg/contents")))
    put_graph(tmp_path, graph)
    content = {"DecodeJpeg/contents": np.array(jpeg((200, 100, 0)), object)}
    assert_same(opened(tmp_path), graph, content, content)


@pytest.mark.parametrize("control_flow_v2", [False, True])
def test_pictures_that_the_graph_decodes_one_by_one_are_rows(tmp_path: Path, control_flow_v2: bool) -> None:
    def build() -> None:
        contents = tf1.placeholder(tf.string, (None,), name="contents")
        pictures = tf.map_fn(lambda one: tf.image.decode_jpeg(one, channels=3), contents, dtype=tf.uint8)
        tf.reduce_mean(tf.cast(pictures, tf.float32), axis=[1, 2], name="y")

    graph = graph_def(build, control_flow_v2=control_flow_v2)
    put_graph(tmp_path, graph)
    contents = {"contents": np.array([jpeg((200, 100, 0)), jpeg((0, 0, 99))], object)}
    assert_same(opened(tmp_path), graph, contents, contents)


def test_examples_that_the_graph_parses_are_given_as_bytes(tmp_path: Path) -> None:
    # Given a graph whose features must all be there, one of them a picture
    columns = {
        "number": tf.io.FixedLenFeature((), tf.int64),
        "values": tf.io.FixedLenFeature((2,), tf.float32),
        "picture": tf.io.FixedLenFeature((), tf.string),
    }

    def build() -> None:
        parsed = tf1.parse_example(tf1.placeholder(tf.string, (None,), name="examples"), columns)
        picture = tf.image.decode_jpeg(parsed["picture"][0])
        total = tf.reduce_sum(parsed["values"], axis=1) + tf.cast(parsed["number"], tf.float32)
        tf.add(total, tf.reduce_mean(tf.cast(picture, tf.float32)), name="y")

    graph = graph_def(build)
    put_graph(tmp_path, graph)
    example = tf.train.Example()
    example.features.feature["number"].int64_list.value.append(3)
    example.features.feature["values"].float_list.value.extend([0.5, 1.5])
    example.features.feature["picture"].bytes_list.value.append(jpeg((10, 10, 10)))
    given = {"examples": np.array([example.SerializeToString()], object)}
    assert_same(opened(tmp_path), graph, given, given)
