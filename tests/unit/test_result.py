from __future__ import annotations

import io
from typing import Any

import numpy as np

from tasks.result import encode_result, only_output, result_json, result_npz

MANY = {f"out:{index}": np.full(2, index, "float32") for index in reversed(range(12))}


def as_redis_gives_it(parts: dict[str, bytes]) -> dict[str, bytes]:
    """A hash has no order."""
    return dict(sorted(parts.items()))


def plain(outputs: dict[str, Any]) -> dict[str, list[float]]:
    return {name: np.asarray(array).tolist() for name, array in outputs.items()}


def test_outputs_keep_names_and_order_whatever_the_order_of_their_parts() -> None:
    parts = as_redis_gives_it(encode_result(MANY))
    outputs = result_json(parts)["outputs"]
    assert list(outputs) == list(MANY)
    assert plain(outputs) == plain(MANY)


def test_the_npz_holds_every_output_in_order_and_the_npy_the_only_one() -> None:
    parts = as_redis_gives_it(encode_result(MANY, {"labels": []}, [b"png"]))
    assert only_output(parts) is None
    with np.load(io.BytesIO(result_npz(parts)), allow_pickle=False) as archive:
        assert archive.files == list(MANY)
        assert plain(dict(archive)) == plain(MANY)
    alone = only_output(encode_result({"y": np.array([[0.5]])}))
    assert alone is not None
    assert np.load(io.BytesIO(alone), allow_pickle=False).tolist() == [[0.5]]


def test_an_answer_goes_beside_the_outputs_and_detections_in_their_place() -> None:
    outputs = {"y": np.array([[0.5]])}
    labelled = encode_result(outputs, {"labels": [["one"]]})
    assert plain(result_json(labelled)["outputs"]) == {"y": [[0.5]]}
    assert result_json(labelled)["labels"] == [["one"]]
    assert result_json(encode_result(outputs, {"detections": []}, [b"png"])) == {"detections": []}


def test_text_complex_numbers_and_single_values_become_what_json_can_say() -> None:
    outputs = {"text": np.array(["yé"]), "bytes": np.array([b"x"]), "complex": np.array([1 + 2j]), "one": np.array(3)}
    shown = result_json(encode_result(outputs))["outputs"]
    assert plain(shown) == {"text": ["yé"], "bytes": ["x"], "complex": [[1, 2]], "one": 3}
