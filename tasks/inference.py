"""From a job's input bytes to its result's parts: decode, run the model, read its outputs. No network, no Redis."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from model_store.classes import read_labels
from model_store.detections import draw_detections, read_detections
from model_store.errors import InvalidInput, OutOfMemory, PictureError, PredictError
from model_store.pictures import Picture, decode_picture, prepare
from tasks.job import Failure, FailureType, Job
from tasks.payload import ARRAY_TYPES, Arrays, decode_arrays
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


@dataclass(frozen=True)
class Inputs:
    """A job's inputs as the model takes them, and the picture that they were made of, if one was."""

    arrays: Arrays
    picture: Picture | None = None


def decode(model: Model, job: Job, payload: bytes, max_image_pixels: int) -> Inputs | Failure:
    """A job's input as arrays, or why it is none that the model can take."""
    try:
        return _decode(model, job, payload, max_image_pixels)
    except Exception as error:
        return failure_of(error, job)


def answer(model: Model, job: Job, inputs: Inputs, outputs: Arrays | Exception, compute_ms: float) -> Answer:
    """What becomes of a job by the model's outputs for it, or by the model's error."""
    if isinstance(outputs, Exception):
        return Answer(compute_ms, failure=failure_of(outputs, job))
    try:
        return _answer(compute_ms, _read(model, job, inputs, outputs))
    except Exception as error:
        return Answer(compute_ms, failure=failure_of(error, job))


def _answer(compute_ms: float, parts: Mapping[str, bytes]) -> Answer:
    size_bytes = sum(map(len, parts.values()))
    if size_bytes <= MAX_RESULT_BYTES:
        return Answer(compute_ms, parts=parts)
    message = f"The result has {size_bytes} bytes, and at most {MAX_RESULT_BYTES} are kept; send fewer rows at once."
    return Answer(compute_ms, failure=Failure(FailureType.RESULT_TOO_LARGE, message))


def _decode(model: Model, job: Job, payload: bytes, max_image_pixels: int) -> Inputs:
    model = model.with_signature(job.signature)
    if job.content_type in ARRAY_TYPES:
        return Inputs(decode_arrays(job.content_type, payload, model.signature))
    if model.image is None or model.image.input is None:
        raise InvalidInput("inputs", "arrays", "a picture, which this version of the model does not take")
    pixels = decode_picture(payload, max_image_pixels)
    array = prepare(pixels, model.image, model.signature.inputs[model.image.input])
    return Inputs({model.image.input: array}, Picture.of(pixels, model.image))


def _read(model: Model, job: Job, inputs: Inputs, outputs: Arrays) -> dict[str, bytes]:
    model = model.with_signature(job.signature)
    if model.spec.kind == "classifier":
        return encode_result(outputs, {"labels": read_labels(outputs, model.spec)}, None)
    if model.spec.kind == "detector":
        detections = _read_detections(model, job, inputs, outputs)
        wants_drawing = job.annotate and inputs.picture is not None
        annotated = draw_detections(inputs.picture.pixels, detections) if wants_drawing and inputs.picture else None
        return encode_result(outputs, {"detections": detections}, annotated)
    return encode_result(outputs, None, None)


def _read_detections(model: Model, job: Job, inputs: Inputs, outputs: Arrays) -> list[dict[str, Any]]:
    """One list for the job; where it has several rows, each detection says its `row`, from 0."""
    min_score = model.spec.min_score if job.min_score is None else job.min_score
    rows = len(outputs["detection_scores"])
    detections = []
    for row in range(rows):
        size, crop = _picture_of_row(inputs)
        found = read_detections(outputs, row, model.spec, min_score, size, crop)
        detections += found if rows == 1 else [{"row": row, **detection} for detection in found]
    return detections


def _picture_of_row(inputs: Inputs) -> tuple[tuple[int, int], tuple[int, int, int, int]]:
    """Height and width of the picture that a row shows, and the part of it that the model saw."""
    if inputs.picture is not None:
        height, width = inputs.picture.pixels.shape[:2]
        return (height, width), inputs.picture.crop
    # Arrays that are no pictures, encoded ones for example, have no size to tell: then pixels are fractions too.
    sizes = [array.shape[1:3] for array in inputs.arrays.values() if array.ndim >= 3]
    height, width = sizes[0] if sizes else (1, 1)
    return (height, width), (0, 0, height, width)


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
