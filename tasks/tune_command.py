"""The command `celeriac tune`: finds the fastest way to run a model on this machine, shows it, and keeps it."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from model_store.errors import ModelStoreError
from model_store.located_model import locate_model
from model_store.store import MODEL_NAME, StoredModel, find_model
from tasks.errors import TasksError
from tasks.settings import Settings, read_settings
from tasks.tuning import tuning_plan
from tasks.tuning_table import summary, table, trials_json

if TYPE_CHECKING:
    # Brings TensorFlow, which `celeriac --help` need not wait for.
    from model_store.model import Model

#: Who asks for it waits longer than a start should.
_LIMIT_S = 60


@click.command(epilog="\b\nExamples:\n  celeriac tune my-model\n  celeriac tune models/my-model/2 --limit-s 300")
@click.argument("model", metavar="PATH_OR_NAME")
@click.option(
    "--limit-s",
    type=click.IntRange(1, 86_400),
    default=_LIMIT_S,
    show_default=True,
    help="How long to look, in seconds, unless model.toml says.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def tune(model: str, limit_s: int, as_json: bool) -> None:
    """Find the fastest way to run a model, and keep it for the next start of its worker.

    PATH_OR_NAME is a model of the store, or a model's file or folder. The exit code is 2, with a sentence, where the
    model cannot be run, or not as its model.toml says.
    """
    try:
        tuned = _tuned(_stored(model, settings := read_settings()), settings, limit_s)
    except (ModelStoreError, TasksError) as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    click.echo(json.dumps(_described(tuned)) if as_json else "\n".join(_lines(tuned)))


def _stored(text: str, settings: Settings) -> StoredModel:
    is_name = MODEL_NAME.fullmatch(text) and (settings.model_store / text).is_dir()
    if is_name or not Path(text).exists():
        return find_model(settings.model_store, text)
    return locate_model(Path(text).resolve()).stored


def _tuned(stored: StoredModel, settings: Settings, limit_s: int) -> Model:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # Imported here as it brings TensorFlow.
    from model_store.device import place
    from model_store.loader import load
    from tasks.loading import usable_cores, wanted_device

    device = place(wanted_device(stored, settings))
    model = load(stored)
    plan = tuning_plan(stored, settings, device, usable_cores())
    model.warm_up(replace(plan, limit_s=limit_s, looks_again=True))
    return model


def _described(model: Model) -> dict[str, Any]:
    return {
        "model": model.name,
        "version": model.version,
        "format": model.format,
        **model.tuning.describe(),
        "base": model.tuning.choice.base,
        "batching": model.batching.to_json(),
        "trials": trials_json(model.tuning),
        "kept_in": None if model.tuning_file is None else str(model.tuning_file),
    }


def _lines(model: Model) -> list[str]:
    lines = [*table(model.tuning), *summary(model.name, model.tuning)]
    if model.tuning_file is not None:
        return [*lines, f"Kept in {model.tuning_file}."]
    return [*lines, "Not kept: there was too little time, or no folder for it can be written to."]


if __name__ == "__main__":
    tune()
