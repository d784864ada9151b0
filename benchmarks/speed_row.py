"""The row about the model itself: Celeriac's call beside the user's own, whatever the file is."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.rig import Rig
from benchmarks.verdict import Measure, RowResult, Samples

MODELS = ("tiny", "small")
ROWS = (1, 32)

OURS = "Celeriac"
#: As `celeriac tune` has it: a busy machine shall not decide.
TUNING_LIMIT_S = 60.0

#: CPU time a call in µs, by file and way; one of each round.
Times = Sequence[dict[str, dict[str, float]]]


def model_speed(rig: Rig) -> RowResult:
    """CPU time of the user's own call over that of Celeriac's, for each kind of file, in the worst case of all."""
    rounds: dict[str, Times] = {}
    notes = []
    for model in MODELS:
        with rig.speed_probe(model) as probe:
            told = probe.ask("prepare", inputs=str(rig.inputs(model)), tuning_limit_s=TUNING_LIMIT_S)
            notes.append(f"{model}: " + ", ".join(f"{title} {how}" for title, how in told["variants"].items()))
            for rows in ROWS:
                rounds[f"{model}, {rows} rows"] = [
                    probe.ask("measure", rows=rows, seconds=rig.plan.speed_s)["cpu_us"] for _ in range(rig.plan.pairs)
                ]
    measures = tuple(
        Measure(f"{way}, {title}", _least_gain(rounds, title, way), at_least=1.0) for title, way in _ways(rounds)
    )
    details = {case: _details(times) for case, times in rounds.items()}
    return RowResult("model-speed", measures, "all ways give the same answers", details, notes=tuple(notes))


def _ways(rounds: dict[str, Times]) -> list[tuple[str, str]]:
    first = next(iter(rounds.values()))[0]
    return [(title, way) for title, times in first.items() for way in times if way != OURS]


def _least_gain(rounds: dict[str, Times], title: str, way: str) -> Samples:
    """The user's time over ours in each round, of the model and the number of rows where that is least."""
    cases = [tuple(one[title][way] / one[title][OURS] for one in times) for times in rounds.values()]
    gains = [Samples("×", ratios, digits=2) for ratios in cases]
    return min(gains, key=lambda samples: samples.median)


def _details(times: Times) -> dict[str, Samples]:
    return {
        f"{way}, {title}": Samples("µs", tuple(one[title][way] for one in times))
        for title, ways in times[0].items()
        for way in ways
    }
