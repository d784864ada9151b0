"""One line of JSON Lines -> its key and its values by input, or its picture. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from client.backfill.fit import Fit
from client.backfill.inputs.columns import PICTURE_COLUMNS
from client.backfill.inputs.decoding import Refused
from client.backfill.inputs.text_lines import is_text

#: The field with a line's key, where no other is asked for.
ID_FIELD = "id"

_SHOWN_CHARACTERS = 40


@dataclass(frozen=True)
class Line:
    """What a line holds.

    Attributes:
        key: Its key; None where it has none.
        values: A value for each input, empty where it holds a picture.
        picture: As `picture_of` takes it; None where the line holds values.
        refusal: Why it is no row; None where it is one.
    """

    key: str | None
    values: Mapping[str, Any]
    picture: Any = None
    refusal: Refused | None = None


def read_line(text: str, fit: Fit, id_column: str | None) -> Line:
    """Read a line: an object with the inputs' names, `{"instance": …}`, `{"inputs": {…}}`, or one input's value itself.

    Args:
        text: The line.
        fit: What the model takes.
        id_column: The field with the key, which must be there; None: `id`, where there is one.
    """
    try:
        if not is_text(text):
            raise Refused("The line holds bytes that are not of the file's encoding.")
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        return Line(None, {}, refusal=Refused(f"The line is no JSON: {error}."))
    except Refused as refusal:
        return Line(None, {}, refusal=refusal)
    key = None
    try:
        key = _key(document, fit, id_column)
        return _line(key, document, fit)
    except Refused as refusal:
        return Line(key, {}, refusal=refusal)


def _key(document: Any, fit: Fit, id_column: str | None) -> str | None:
    field = id_column or ID_FIELD
    if not isinstance(document, dict) or field not in document or (id_column is None and field in fit.inputs):
        if id_column is not None:
            raise Refused(f"Field {field!r}: expected an id, found none.")
        return None
    key = document[field]
    if isinstance(key, bool) or not isinstance(key, str | int) or key == "" or not is_text(str(key)):
        raise Refused(f"Field {field!r}: expected an id, a string or a whole number; found {_shown(key)}.")
    return str(key)


def _line(key: str | None, document: Any, fit: Fit) -> Line:
    body = _body(document, fit)
    named = isinstance(body, dict) and not _is_base64(body, fit)
    if fit.takes_pictures:
        picture = _picture(body, fit) if named else body
        if isinstance(picture, str | dict):
            return Line(key, {}, picture)
    if not named:
        if len(fit.inputs) != 1:
            raise Refused(f"Expected an object with the names {', '.join(fit.inputs)}; found {_shown(body)}.")
        return Line(key, {name: body for name in fit.inputs})
    missing = next((name for name in fit.inputs if name not in body), None)
    if missing is not None:
        raise Refused(f"Expected a value for input {missing!r}; the line has {_shown(', '.join(body)) or 'none'}.")
    return Line(key, {name: body[name] for name in fit.inputs})


def _body(document: Any, fit: Fit) -> Any:
    """What the line says beside its key. `instance` and `inputs` are as in a request, unless inputs are named so."""
    if isinstance(document, dict):
        for wrapper in ("instance", "inputs"):
            if wrapper in document and wrapper not in fit.inputs:
                return document[wrapper]
    return document


def _is_base64(body: Mapping[str, Any], fit: Fit) -> bool:
    return set(body) == {"b64"} and "b64" not in fit.inputs


def _picture(body: Mapping[str, Any], fit: Fit) -> Any:
    own = list(fit.inputs) if len(fit.inputs) == 1 else []
    return next((body[name] for name in (*own, *PICTURE_COLUMNS) if name in body), None)


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
