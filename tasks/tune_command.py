"""The command `celeriac tune`: finds the fastest way to run a model on this machine, shows it, and keeps it."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from model_store.errors import ModelStoreError
from model_store.store import MODEL_NAME, StoredModel, find_model, find_stored
from model_store.tuning import Tuning
from tasks.errors import TasksError
from tasks.settings import Settings, read_settings
from tasks.tuning import said_of, tuning_plan

if TYPE_CHECKING:
    # Brings TensorFlow, which `celeriac --help` need not wait for.
    from model_store.model import Model

#: Who asks for it waits longer than a start should.
_LIMIT_S = 60
_COLUMNS = ("variant", "rows", "ms a call", "rows/s", "first call, ms", "difference", "")


@click.command()
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
    return find_stored(Path(text)) if not is_name and Path(text).exists() else find_model(settings.model_store, text)


def _tuned(stored: StoredModel, settings: Settings, limit_s: int) -> Model:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # Imported here as it brings TensorFlow.
    from model_store.loader import load
    from tasks.loading import place_model

    device, cores = place_model(stored, settings)
    model = load(stored)
    plan = tuning_plan(stored, settings, device, cores)
    model.warm_up(replace(plan, limit_s=limit_s, looks_again=True))
    return model


def _described(model: Model) -> dict[str, Any]:
    tuning = model.tuning
    return {
        "model": model.name,
        "version": model.version,
        "format": model.format,
        **tuning.describe(),
        "base": tuning.choice.base,
        "batching": model.batching.to_json(),
        "trials": [
            {
                **asdict(trial),
                "rows_per_s": trial.rows / trial.call_ms * 1000,
                "chosen": tuning.choice.at(trial.rows) == trial.variant,
            }
            for trial in tuning.trials
        ],
        "kept_in": None if model.tuning_file is None else str(model.tuning_file),
    }


def _lines(model: Model) -> list[str]:
    tuning = model.tuning
    kept = "nowhere, as nothing can be written there" if model.tuning_file is None else str(model.tuning_file)
    lines = [*_table(tuning), *(f"{name}: {model.name} {why}." for name, why in tuning.dropped.items())]
    sizes = f", padded to {', '.join(map(str, model.batching.sizes))}" if model.batching.sizes else ""
    chosen = f"Chosen: {said_of(tuning)}; batches of up to {model.batching.max_rows} rows{sizes}."
    return [*lines, chosen, f"Kept in {kept}."]


def _table(tuning: Tuning) -> list[str]:
    rows = [
        (
            trial.variant,
            str(trial.rows),
            f"{trial.call_ms:.3f}",
            f"{trial.rows / trial.call_ms * 1000:,.0f}",
            f"{trial.first_ms:,.0f}",
            f"{trial.difference:.1g}",
            "chosen" if tuning.choice.at(trial.rows) == trial.variant else "",
        )
        for trial in tuning.trials
    ]
    widths = [max(len(row[column]) for row in (_COLUMNS, *rows)) for column in range(len(_COLUMNS))]
    # Names to the left, numbers to the right.
    line = "  ".join(f"{{:{'<' if column in (0, 6) else '>'}{width}}}" for column, width in enumerate(widths))
    return [line.format(*row).rstrip() for row in (_COLUMNS, *rows)]


if __name__ == "__main__":
    tune()
