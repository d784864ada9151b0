"""From a model's outputs for a job to its result's parts, and from errors to failures. No network, no Redis."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from model_store.classes import read_labels
from model_store.detectors.detections import Wanted, count_pictures, read_detections
from model_store.detectors.drawing import draw_detections
from model_store.detectors.outputs import DetectorOutputs, find_detector_outputs, split_lines
from model_store.errors import InvalidInput, OutOfMemory, PictureError, PredictError
from model_store.pictures.decoding import View
from model_store.pictures.image_input import CHANNELS
from model_store.rows.uneven import put_together
from model_store.signature import TensorSpec
from tasks.inputs import ForEach, Inputs, decode_inputs
from tasks.job import Failure, FailureType, Job
from tasks.payload import Arrays
from tasks.result import MAX_RESULT_BYTES, encode_result

if TYPE_CHECKING:
    # Brings TensorFlow, and this module is loaded by Flower and the keeper too.
    from model_store.model import Model

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """What became of a job: its result's parts, or why there are none. `compute_ms` is the time in the model."""

    compute_ms: float
    parts: Mapping[str, bytes] = field(default_factory=dict)
    failure: Failure | None = None


def decode(model: Model, job: Job, payload: bytes, max_image_pixels: int, for_each: ForEach = map) -> Inputs | Failure:
    """A job's input as arrays, or why it is none that the model can take."""
    try:
        return decode_inputs(model.with_signature(job.signature), job, payload, max_image_pixels, for_each)
    except Exception as error:
        return failure_of(error, job)


def answer(
    model: Model, job: Job, inputs: Inputs, outputs: Arrays | Sequence[Arrays] | Exception, compute_ms: float
) -> Answer:
    """What becomes of a job by the model's outputs for it, or for each of its parts, or by the model's error."""
    if isinstance(outputs, Exception):
        return Answer(compute_ms, failure=failure_of(outputs, job))
    try:
        model = model.with_signature(job.signature)
        whole = outputs if isinstance(outputs, Mapping) else _put_together(model, inputs, outputs)
        return _answer(compute_ms, _read(model, job, inputs, whole))
    except Exception as error:
        return Answer(compute_ms, failure=failure_of(error, job))


def _answer(compute_ms: float, parts: Mapping[str, bytes]) -> Answer:
    size_bytes = sum(map(len, parts.values()))
    if size_bytes <= MAX_RESULT_BYTES:
        return Answer(compute_ms, parts=parts)
    message = f"The result has {size_bytes} bytes, and at most {MAX_RESULT_BYTES} are kept; send fewer rows at once."
    return Answer(compute_ms, failure=Failure(FailureType.RESULT_TOO_LARGE, message))


def _put_together(model: Model, inputs: Inputs, outputs: Sequence[Arrays]) -> Arrays:
    """The outputs of all parts of a job, row by row in the order of its rows."""
    if told := _as_detector(model, outputs[0]):
        found, first = told
        has_rows = first[found.boxes].ndim == 3
        rows = frozenset(name for name, array in outputs[0].items() if has_rows and array.ndim)
        whole = put_together(inputs.parts, outputs, rows, fills_up=True)
    else:
        declared = model.signature.outputs
        rows = model.row_outputs or frozenset(name for name, spec in declared.items() if (spec.shape or ())[:1] == (1,))
        whole = put_together(inputs.parts, outputs, rows)
    if whole is None:
        raise PredictError(
            f"{model.name} gave outputs of other shapes for pictures of other sizes, which cannot be joined; send "
            "pictures of one size, or each in a job of its own."
        )
    return whole


def _read(model: Model, job: Job, inputs: Inputs, outputs: Arrays) -> dict[str, bytes]:
    if model.spec.kind == "classifier":
        return encode_result(outputs, {"labels": read_labels(outputs, model.spec)})
    if told := _as_detector(model, outputs):
        rows = _read_detections(model, job, inputs, *told)
        detections = [{"row": row, **one} for row, some in enumerate(rows) for one in some]
        one_or_all = {"detections": detections if len(rows) > 1 else rows[0]}
        return encode_result(outputs, one_or_all, _draw(inputs, rows) if job.annotate else [])
    return encode_result(outputs)


def _as_detector(model: Model, outputs: Arrays) -> tuple[DetectorOutputs, Arrays] | None:
    """Which of the outputs is what, and the outputs as they are to be read; None where they are no detector's."""
    if model.spec.kind != "detector":
        return None
    split = split_lines(outputs, model.spec.detections)
    tensors = {name: TensorSpec.of(array) for name, array in split.items()}
    found = find_detector_outputs(tensors, model.spec.detections)
    return (found, split) if found else None


def _read_detections(
    model: Model, job: Job, inputs: Inputs, found: DetectorOutputs, outputs: Arrays
) -> list[list[dict[str, Any]]]:
    """A list for each row."""
    wanted = Wanted(
        min_score=model.spec.min_score if job.min_score is None else job.min_score,
        most=job.max_detections or model.spec.max_detections,
    )
    rows = range(count_pictures(outputs, found))
    return [read_detections(outputs, found, row, model.spec, wanted, _view(inputs, row)) for row in rows]


def _view(inputs: Inputs, row: int) -> View:
    if inputs.pictures:
        return inputs.pictures[row].view
    # Arrays that are no pictures, encoded ones for example, have no size to tell: then pixels are fractions too.
    shapes = [array.shape for array in inputs.arrays.values() if array.ndim >= 3]
    if not shapes:
        return View.whole(1, 1)
    is_one_picture = len(shapes[0]) == 3 and shapes[0][2] in CHANNELS
    height, width = shapes[0][:2] if is_one_picture else shapes[0][1:3]
    return View.whole(height, width)


def _draw(inputs: Inputs, detections: Sequence[Sequence[Mapping[str, Any]]]) -> list[bytes]:
    pairs = zip(inputs.pictures, detections, strict=True)
    return [draw_detections(picture.pixels, found) for picture, found in pairs if picture.pixels is not None]


def failure_of(error: Exception, job: Job) -> Failure:
    """What a client is told of an error."""
    if isinstance(error, InvalidInput | PictureError):
        return Failure(FailureType.INVALID_INPUT, str(error))
    if isinstance(error, OutOfMemory | MemoryError):
        message = f"The worker's memory does not suffice for this job of {job.rows} rows; send fewer at once."
        return Failure(FailureType.OUT_OF_MEMORY, message)
    if isinstance(error, PredictError):
        return Failure(FailureType.MODEL_ERROR, str(error))
    # The frames only: an exception's own text may quote the input, which belongs in no log.
    frames = "".join(traceback.format_tb(error.__traceback__))
    logger.error("Job %s: unforeseen %s\n%s", job.id, type(error).__name__, frames)
    return Failure(FailureType.WORKER_ERROR, f"An unforeseen {type(error).__name__}; the worker's log says where.")
