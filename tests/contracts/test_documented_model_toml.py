"""What docs/models.md shows of model.toml and versions.toml can be used as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from model_store.spec import TOP_KEYS, ModelSpec, parse_spec
from model_store.version_labels import parse_version_labels

DOCS = Path(__file__).parents[2] / "docs" / "models.md"
EXAMPLES = re.findall(r"^```toml\n(.*?)^```$", DOCS.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
MODEL_TOML = [text for text in EXAMPLES if "[shares]" not in text]


@pytest.mark.parametrize("text", MODEL_TOML)
def test_each_model_toml_of_the_docs_is_taken(text: str) -> None:
    assert parse_spec(text, Path("model.toml")) != ModelSpec(file=Path("model.toml"))


def test_the_longest_one_shows_every_key() -> None:
    longest = max(MODEL_TOML, key=len)
    assert [key for key in TOP_KEYS if not re.search(rf"^(?:{key} = |\[{key}\])", longest, re.MULTILINE)] == []


def test_the_versions_toml_of_the_docs_is_taken() -> None:
    (text,) = set(EXAMPLES) - set(MODEL_TOML)
    labels = parse_version_labels(text, Path("versions.toml"))
    assert labels.shares.keys() <= labels.numbers.keys()
