"""Finds the fastest way to run an opened model, within a time limit; and makes a way found earlier again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import tensorflow as tf

from model_store.errors import VariantUnfit
from model_store.program import Program
from model_store.rows.batching import Batching
from model_store.spec import ModelSpec
from model_store.tuning import variants
from model_store.tuning.choice import (
    FIRST_ROWS,
    HOPELESS,
    LONG_CALL_MS,
    Choice,
    Tuning,
    pick,
    rows_to_compile,
    times_of,
    worth_compiling,
    worth_padding,
)
from model_store.tuning.file import Key, key_of
from model_store.tuning.plan import TuningPlan
from model_store.tuning.search import Search
from model_store.tuning.trial import Prepare
from model_store.tuning_spec import VARIANTS


@dataclass(frozen=True)
class Bench:
    """A model on trial.

    Attributes:
        program: As it was opened.
        prepare: Gives the trial calls of a program.
        find_batching: Finds out how many rows are worth giving to a program.
        call_ms: What a call with the fewest rows takes about.
        rows: The only number of rows that it can be tried with; None where it takes any.
        may_pad: Whether it is left to the trials how calls are padded.
        has_open_sizes: Whether an input's other sizes may vary from call to call.
    """

    program: Program
    prepare: Callable[[Program], Prepare]
    find_batching: Callable[[Program], Batching]
    call_ms: float
    rows: int | None
    may_pad: bool
    has_open_sizes: bool


def tune(bench: Bench, variant: str, limit_s: float) -> tuple[Program, Tuning]:
    """Find how a model is run the fastest, and how many rows are worth giving to it so.

    Args:
        bench: The model.
        variant: "auto", or the variant to take whatever it gains and however long it takes to make.
        limit_s: How long variants may be made and compared; the search for the size of a batch comes on top.

    Returns:
        The program to run, which owns nothing of the variants that were not taken; and what was found out.

    Raises:
        VariantUnfit: The variant that was asked for does not apply, or gives other answers than the plain graph.
    """
    search = Search(bench.program, bench.prepare, limit_s, is_open=variant == "auto")
    compiling_s = _compare_bases(search, bench, variant)
    is_cut_short = search.is_cut_short
    candidates = [name for name in VARIANTS if name in search.programs and variant in ("auto", "xla", name)]
    base = pick(search.trials, candidates or ["plain"])
    search.keep("plain", base)
    batching = bench.find_batching(search.programs[base])
    choice = Choice(base, base)
    if variant in ("auto", "xla"):
        choice, batching = _compile(search, bench, base, batching, compiling_s)
    if variant in search.dropped:
        raise VariantUnfit(search.dropped[variant])
    trials = tuple(sorted(search.trials, key=lambda trial: (trial.rows, VARIANTS.index(trial.variant))))
    tuning = Tuning(choice, batching, trials, search.dropped, tuple(search.faulty), is_cut_short)
    return _assembled(search.programs, choice), tuning


def recall(program: Program, spec: ModelSpec, plan: TuningPlan) -> tuple[Program, Tuning] | None:
    """The program to run, and what an earlier start found out; None where that does not hold, or cannot be made."""
    key = None if plan.looks_again else _key(program, spec, plan)
    tuning = None if key is None else plan.files.find(key)
    if tuning is None:
        return None
    try:
        return _rebuilt(program, tuning.choice), tuning
    except VariantUnfit:
        return None


def keep(program: Program, spec: ModelSpec, plan: TuningPlan, tuning: Tuning) -> Path | None:
    """Keep what was found out, if all was looked at and a file can be written; gives the file.

    A machine that is busy while many workers start would else decide for all later starts.
    """
    key = _key(program, spec, plan)
    return None if tuning.is_cut_short or key is None else plan.files.put(key, tuning)


def _key(program: Program, spec: ModelSpec, plan: TuningPlan) -> Key | None:
    versions = f"TensorFlow {tf.__version__}, Keras {version('keras')}"
    try:
        return key_of(plan.artifact, program.signature, spec, versions, plan.files.machine)
    except OSError:
        return None


def _rebuilt(program: Program, choice: Choice) -> Program:
    programs = {"plain": program}
    if choice.base != "plain":
        traced = variants.trace(program)
        folds = choice.base == "folded"
        programs[choice.base] = variants.fold(traced) if folds else variants.call_directly(traced)
    if choice.variant == "xla":
        programs["xla"] = variants.compile_by_xla(programs[choice.base])
    return _assembled(programs, choice)


def _assembled(programs: dict[str, Program], choice: Choice) -> Program:
    base = programs[choice.base]
    if choice.variant != "xla":
        return base
    row_input = next(iter(sorted(base.signature.row_inputs)), None)
    return variants.divide_by_rows(programs["xla"], base, row_input, frozenset(choice.compiled_rows))


def _compare_bases(search: Search, bench: Bench, variant: str) -> float:
    """Compare what takes little to make; gives about what compiling takes for each number of rows."""
    if variant == "plain":
        return 0.0
    try:
        traced = variants.trace(bench.program)
    except VariantUnfit as error:
        _drop_all(search, str(error))
        return 0.0
    if variant != "direct":
        search.add("folded", traced.folding_s, lambda: variants.fold(traced))
    if search.is_open and bench.call_ms > LONG_CALL_MS:
        search.dropped["direct"] = "gains nothing: next to its calls, what Python adds to each is nothing"
    else:
        search.add("direct", 0.0, lambda: variants.call_directly(traced))
    sizes = FIRST_ROWS if bench.rows is None else (bench.rows,)
    search.compare(sizes if len(search.programs) > 1 else sizes[:1], bench.call_ms)
    if not search.trials:
        _drop_all(search, search.obstacle or "was not tried: there was no time to compare it")
    return traced.compiling_s


def _drop_all(search: Search, reason: str) -> None:
    for name in VARIANTS:
        search.drop(name, search.dropped.get(name, reason))


def _compile(
    search: Search, bench: Bench, base: str, batching: Batching, compiling_s: float
) -> tuple[Choice, Batching]:
    sizes = rows_to_compile(batching) if bench.rows is None else (bench.rows,)
    _try_compiled(search, bench, base, sizes, compiling_s)
    if base not in search.programs:
        base = "plain"
    compiled, other = times_of(search.trials, "xla"), times_of(search.trials, base)
    rows = worth_compiling(other, compiled) if search.is_open else tuple(sorted(compiled))
    if not rows:
        search.dropped.setdefault("xla", "gains too little to pay for compiling at each start")
        return Choice(base, base), batching
    worth = {size: compiled[size] for size in rows}
    is_padded = bench.may_pad and not batching.sizes and worth_padding(batching.max_rows, other, worth)
    return Choice("xla", base, rows), replace(batching, sizes=rows) if is_padded else batching


def _try_compiled(search: Search, bench: Bench, base: str, sizes: tuple[int, ...], compiling_s: float) -> None:
    reason = _why_not_compiled(bench)
    if reason:
        search.drop("xla", reason)
    if "xla" in search.dropped:
        return
    program = search.programs[base]
    search.add("xla", compiling_s, lambda: variants.compile_by_xla(program))
    for rows in sizes:
        if "xla" not in search.programs or (search.is_open and not search.has_time(compiling_s)):
            return
        trials = search.compare_at(rows).trials
        if "xla" not in trials or base not in trials or trials["xla"].call_ms > HOPELESS * trials[base].call_ms:
            return


def _why_not_compiled(bench: Bench) -> str | None:
    if bench.has_open_sizes:
        return "takes inputs of any size, and XLA would compile each size anew"
    signature = bench.program.signature
    if any(spec.dtype == "string" for spec in (*signature.inputs.values(), *signature.outputs.values())):
        return "takes or gives text, for which XLA has nothing"
    return None
