"""Every way of running a model gives the plain graph's answers, and what does not apply is left out."""

from __future__ import annotations

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from model_store.errors import PredictError, WarmUpError
from model_store.loader import load
from model_store.store import find_model
from model_store.tuning.file import TuningFiles
from model_store.tuning.plan import TuningPlan
from tests import tiny_models
from tests.opened_models import opened, put_keras, put_module, put_saved_model
from tests.tuned_models import LIMIT_S, SCALE, Scaler, assert_close, tuned

ROWS = tf.TensorSpec((None, 3), tf.float32)
X = np.array([[1, 2, 3], [-4, 5, 6], [0, 0, 1e6]], "float32")


def put_layers(store: Path, layers: list[keras.Layer], toml: str = "") -> None:
    keras.utils.set_random_seed(3)
    put_keras(store, keras.Sequential(layers), "m.keras", toml)


def asked(variant: str) -> str:
    return f'[tuning]\nvariant = "{variant}"'


class Counter(tf.Module):
    """Counts its calls in a variable."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = tf.Variable(0.0)

    @tf.function
    def call(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": x + self.calls.assign_add(1.0)}


class HiddenCounter(Counter):
    """Counts its calls, and does not tell."""

    @tf.function
    def call(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        self.calls.assign_add(1.0)
        return {"y": 2 * x}


class Prices(tf.Module):
    """Looks numbers up in two tables, and multiplies them with a variable."""

    def __init__(self) -> None:
        super().__init__()
        self.tables = [
            tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer([0, 1], values), -1.0)
            for values in ([10.0, 20.0], [0.5, 0.25])
        ]
        self.factor = tf.Variable([2.0])

    @tf.function
    def call(self, article: tf.Tensor) -> dict[str, tf.Tensor]:
        first, second = self.tables
        return {"price": first.lookup(article) * self.factor - second.lookup(article)}


@pytest.mark.parametrize("variant", ["auto", "plain", "direct", "folded", "xla"])
def test_a_keras_model_gives_the_same_answers_however_it_is_run(tmp_path: Path, variant: str) -> None:
    # Given a model with weights and a loop
    layers = [keras.Input((4, 3)), keras.layers.LSTM(5), keras.layers.Dense(2, activation="softmax")]
    put_layers(tmp_path, layers, toml=asked(variant) + "\n[batching]\nmax_batch_size = 16")
    rows = {"x": np.random.default_rng(0).standard_normal((40, 4, 3), "float32")}

    # When it is run so, with few rows, many, and more than a batch has
    model, plain = tuned(tmp_path), opened(tmp_path)
    name = next(iter(plain.signature.inputs))
    for count in (1, 3, 8, 16, 40):
        inputs = {name: rows["x"][:count]}
        assert_close(model.predict(inputs), plain.predict(inputs))

    # Then it is run as was asked
    assert variant in ("auto", model.tuning.choice.variant)


@pytest.mark.parametrize(
    ("format", "variant"),
    [("frozen_graph", "auto"), ("frozen_graph", "xla"), ("saved_model", "direct"), ("saved_model", "xla")],
)
def test_each_format_gives_the_same_answers_however_it_is_run(tmp_path: Path, format: str, variant: str) -> None:
    tiny_models.add_linear(tmp_path, "m", format, toml=asked(variant) + "\n[batching]\nmax_batch_size = 4")
    assert_close(tuned(tmp_path).predict({"x": X}), {"y": 2 * X + 1})


def test_a_saved_model_with_variables_is_folded(tmp_path: Path) -> None:
    put_module(tmp_path, Scaler(), asked("folded"), x=ROWS)
    model = tuned(tmp_path)
    assert model.tuning.choice.variant == "folded"
    outputs = model.predict({"x": X})
    assert outputs["rows"] == 3
    np.testing.assert_allclose(outputs["y"], X * SCALE)


def test_tables_stay_where_variables_are_folded(tmp_path: Path) -> None:
    put_module(tmp_path, Prices(), asked("folded"), article=tf.TensorSpec((None,), tf.int32))
    model = tuned(tmp_path)
    gc.collect()
    assert model.predict({"article": np.array([0, 1, 7], "int32")})["price"].tolist() == [19.5, 39.75, -1]


def test_folding_what_has_no_variables_is_refused_where_it_was_asked_for(tmp_path: Path) -> None:
    tiny_models.add_linear(tmp_path, "m", "frozen_graph", toml=asked("folded"))
    with pytest.raises(WarmUpError) as caught:
        tuned(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}/m/1/model.toml: tuning.variant cannot be folded: m has no variables to fold: its weights are "
        "constants already; leave it out, or say auto."
    )


def test_random_numbers_leave_a_model_as_it_is(tmp_path: Path) -> None:
    put_saved_model(tmp_path, lambda x: {"y": x + tf.random.uniform(tf.shape(x))}, x=ROWS)
    model = tuned(tmp_path)
    assert model.tuning.choice.variant == "plain"
    assert set(model.tuning.dropped) == {"direct", "folded", "xla"}
    assert "other answers each time" in model.tuning.dropped["direct"]
    assert "other answers each time" in model.tuning.dropped["xla"]
    assert model.tuning.faulty == ()


def test_a_variant_that_gives_other_answers_is_dropped_and_said_to(tmp_path: Path) -> None:
    # Given numbers that are drawn anew nowhere, but are others when XLA draws them
    put_saved_model(tmp_path, lambda x: {"y": x + tf.random.stateless_uniform(tf.shape(x), seed=[1, 2])}, x=ROWS)

    # When it was tuned
    model = tuned(tmp_path)

    # Then XLA is out
    assert model.tuning.faulty == ("xla",)
    assert "gives y with a difference of" in model.tuning.dropped["xla"]
    assert model.tuning.choice.variant in ("plain", "direct")
    assert_close(model.predict({"x": X}), opened(tmp_path).predict({"x": X}))


def test_a_variant_that_gives_other_answers_is_refused_where_it_was_asked_for(tmp_path: Path) -> None:
    call = {"call": lambda x: {"y": x + tf.random.stateless_uniform(tf.shape(x), seed=[1, 2])}}
    put_saved_model(tmp_path, call["call"], asked("xla"), x=ROWS)
    with pytest.raises(WarmUpError, match=r"tuning\.variant cannot be xla: m gives y with a difference of"):
        tuned(tmp_path)


@pytest.mark.parametrize("module", [Counter, HiddenCounter])
def test_a_model_that_changes_its_variables_goes_on_changing_them(tmp_path: Path, module: type[Counter]) -> None:
    put_module(tmp_path, module(), x=ROWS)
    model = tuned(tmp_path)
    assert model.tuning.choice.variant in ("plain", "direct")
    assert "folded" in model.tuning.dropped
    first, second = (model.predict({"x": X})["y"][0, 0] for _ in range(2))
    assert second - first == (1 if module is Counter else 0)


def test_text_is_never_compiled_and_stays_the_same(tmp_path: Path) -> None:
    tiny_models.add_text(tmp_path, "m")
    model = tuned(tmp_path)
    assert model.tuning.dropped["xla"] == "takes or gives text, for which XLA has nothing"
    outputs = model.predict({"text": np.array(["añb", ""])})
    assert outputs["upper"].tolist() == ["AÑB", ""]
    assert outputs["length"].tolist() == [3, 0]


def test_pictures_of_any_size_are_never_compiled(tmp_path: Path) -> None:
    tiny_models.add_detector(tmp_path, "m", toml='kind = "detector"\n')
    model = tuned(tmp_path)
    assert model.tuning.dropped["xla"] == "takes inputs of any size, and XLA would compile each size anew"
    image = np.random.default_rng(0).integers(0, 255, (2, 7, 9, 3), "uint8")
    assert_close(model.predict({"image": image}), opened(tmp_path).predict({"image": image}))


@pytest.mark.parametrize("variant", ["auto", "direct", "xla"])
def test_a_fixed_number_of_rows_is_the_only_one_that_is_tried(tmp_path: Path, variant: str) -> None:
    put_saved_model(tmp_path, lambda x: {"y": 2 * x}, asked(variant), x=tf.TensorSpec((4, 3), tf.float32))
    model = tuned(tmp_path)
    assert {trial.rows for trial in model.tuning.trials} == {4}
    assert model.predict({"x": X})["y"].tolist() == (2 * X).tolist()


@pytest.mark.parametrize("variant", ["auto", "direct", "xla"])
def test_a_model_whose_rows_cannot_be_shared_is_tuned_for_one(tmp_path: Path, variant: str) -> None:
    scalar = tf.TensorSpec((), tf.float32)
    put_saved_model(
        tmp_path, lambda x, factor: {"y": factor * x, "mean": tf.reduce_mean(x)}, asked(variant), x=ROWS, factor=scalar
    )
    model = tuned(tmp_path)
    assert {trial.rows for trial in model.tuning.trials} == {1}
    for rows in (1, 3):
        outputs = model.predict({"x": X[:rows], "factor": np.float32(3).reshape(())})
        np.testing.assert_allclose(outputs["y"], 3 * X[:rows])
        np.testing.assert_allclose(outputs["mean"], X[:rows].mean(), rtol=1e-6)


def test_errors_of_a_model_are_told_as_ever(tmp_path: Path) -> None:
    put_saved_model(tmp_path, tiny_models.table, asked("direct"), **tiny_models.TABLE_SPEC)
    model = tuned(tmp_path)
    with pytest.raises(PredictError, match=r"m failed on these inputs: .*indices\[0\] = 9 is not in \[0, 4\)"):
        model.predict({"row": np.array([9], "int32")})
    assert model.predict({"row": np.array([3], "int32")})["entry"] == 4


@pytest.mark.parametrize("variant", ["direct", "folded", "xla"])
def test_several_threads_may_run_a_variant_at_once(tmp_path: Path, variant: str) -> None:
    put_layers(
        tmp_path, [keras.Input((3,)), keras.layers.Dense(3)], asked(variant) + "\n[batching]\nmax_batch_size = 8"
    )
    model, plain = tuned(tmp_path), opened(tmp_path)
    name = next(iter(model.signature.inputs))
    inputs = [{name: np.full((1 + number % 8, 3), number, "float32")} for number in range(200)]
    wanted = [plain.predict(one) for one in inputs]
    with ThreadPoolExecutor(4) as pool:
        for got, right in zip(pool.map(model.predict, inputs), wanted, strict=True):
            assert_close(got, right)


def test_folding_frees_the_variables_and_what_owned_them(tmp_path: Path) -> None:
    put_module(tmp_path, Scaler(), asked("folded"), x=ROWS)
    stored = find_model(tmp_path, "m")
    model = load(stored)
    owner = weakref.ref(model._serving.program.owner)
    model.warm_up(TuningPlan(stored.path, TuningFiles((), "here"), LIMIT_S))
    gc.collect()
    assert owner() is None
    assert_close(model.predict({"x": X[:1]}), {"y": X[:1] * SCALE, "rows": np.array(1, "int32")})


def test_the_card_says_how_a_model_is_run(tmp_path: Path) -> None:
    put_module(tmp_path, Scaler(), asked("folded"), x=ROWS)
    card = tuned(tmp_path).describe()["tuning"]
    assert card["variant"] == "folded"
    assert card["compiled_rows"] == []
    assert card["speedup"] > 0
