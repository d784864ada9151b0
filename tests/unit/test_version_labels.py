from __future__ import annotations

from pathlib import Path

import pytest

from model_store.errors import SpecError
from model_store.version_labels import VersionLabels, parse_version_labels, read_version_labels

FILE = Path("m/versions.toml")


def refusal(text: str) -> str:
    with pytest.raises(SpecError) as caught:
        parse_version_labels(text, FILE)
    return str(caught.value)


def test_labels_and_shares_are_read(tmp_path: Path) -> None:
    (tmp_path / "versions.toml").write_text("[labels]\nstable = 3\ncanary = 4\n[shares]\ncanary = 0.1\n")
    assert read_version_labels(tmp_path) == VersionLabels({"stable": 3, "canary": 4}, {"canary": 0.1})


def test_a_model_without_the_file_has_no_labels(tmp_path: Path) -> None:
    assert read_version_labels(tmp_path) == VersionLabels()


def test_a_file_that_is_no_text_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "versions.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SpecError, match=r"versions.toml cannot be read"):
        read_version_labels(tmp_path)


def test_an_unknown_table_is_refused_by_name() -> None:
    assert refusal("[label]\nstable = 3") == "m/versions.toml has an unknown key label; known are labels, shares."


@pytest.mark.parametrize("value", ['"3"', "3.0", "true", "-1", "1000000000000000"])
def test_a_label_stands_for_the_number_of_a_version(value: str) -> None:
    assert refusal(f"[labels]\nstable = {value}").startswith(
        "m/versions.toml: labels.stable must be the number of a version, but is "
    )


@pytest.mark.parametrize("label", ["3", "Stable", "a b", "é", "x" * 33, ""])
def test_what_could_be_taken_for_a_number_or_is_no_plain_name_cannot_be_a_label(label: str) -> None:
    assert "cannot be a label: a label has up to 32 lower-case letters" in refusal(f'[labels]\n"{label}" = 3')


def test_latest_is_nobodys_to_give() -> None:
    assert "labels.latest cannot be set" in refusal("[labels]\nlatest = 3")


@pytest.mark.parametrize("label", ["stable", "latest", "unknown"])
def test_a_share_is_for_a_label_beside_the_default_one(label: str) -> None:
    message = refusal(f"[labels]\nstable = 3\ncanary = 4\n[shares]\n{label} = 0.5")
    assert f"shares.{label} is for no label that can have a share; those are: canary." in message


@pytest.mark.parametrize("share", ["1.5", "-0.1", "nan", '"10%"'])
def test_a_share_is_a_fraction(share: str) -> None:
    assert "shares.canary must be a share of the jobs, from 0 to 1" in refusal(
        f"[labels]\ncanary = 4\n[shares]\ncanary = {share}"
    )


def test_shares_of_more_than_all_jobs_are_refused_and_of_all_are_not() -> None:
    labels = "[labels]\n" + "".join(f"l{n} = 1\n" for n in range(10)) + "[shares]\n"
    tenths = "".join(f"l{n} = 0.1\n" for n in range(9))
    assert sum(parse_version_labels(labels + tenths + "l9 = 0.1", FILE).shares.values()) == pytest.approx(1)
    assert "the shares add up to 1.1; they can be 1 at most" in refusal(labels + tenths + "l9 = 0.2")
