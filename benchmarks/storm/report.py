"""The outcome for people, as lines, and for programs, as `storm.json`. Pure but for writing the file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.storm.course import Outcome
from benchmarks.storm.schedule import Deed

_EXAMPLES = 3


def lines(outcome: Outcome) -> list[str]:
    """What was done, then what came of it."""
    text = ["", "What was done:"]
    for deed, targets in _by_deed(outcome.done).items():
        shares = ", ".join(f"{target} {count}" for target, count in sorted(targets.items()))
        text.append(f"  {deed:12} {sum(targets.values()):5}  {shares}")
    text.append(f"  {outcome.lives} processes were started; {outcome.stubborn} had to be killed after SIGTERM.")
    text += ["", f"What came of it: {outcome.jobs:,} jobs, {outcome.retried:,} of them run more than once."]
    for name, ids in vars(outcome.audit).items():
        examples = f"  such as {', '.join(ids[:_EXAMPLES])}" if ids else ""
        text.append(f"  {name.replace('_', ' '):14} {len(ids):5}{examples}")
    text.append(f"  {'unasked':14} {outcome.unasked:5}")
    text.append(f"  {'left over':14} {sum(outcome.left.values()):5}")
    text += [f"    {count} in {name}" for name, count in outcome.left.items()]
    text.append(f"  {'unexpected':14} {sum(outcome.unexpected.values()):5}")
    text += [f"    {count} times: {what}" for what, count in outcome.unexpected.items()]
    text.append(f"  All workers serve again: {'yes' if outcome.came_back else 'no'}.")
    return text


def comparison(ours: Mapping[str, Any], plain: Mapping[str, int]) -> list[str]:
    """Celeriac's figures beside plain Celery's, as far as that has them."""
    rows = [("", "Celeriac", "plain Celery")]
    rows += [(name, f"{ours[name]:,}" if name in ours else "", f"{count:,}") for name, count in plain.items()]
    return ["", *(f"  {name.replace('_', ' '):13} {left:>12} {right:>14}" for name, left, right in rows)]


def document(outcome: Outcome) -> dict[str, Any]:
    """For `storm.json`."""
    return {
        "jobs": outcome.jobs,
        "kills": sum(_by_deed(outcome.done)[Deed.KILL].values()),
        **outcome.audit.counts,
        "unasked": outcome.unasked,
        "left_over": outcome.left,
        "unexpected_answers": outcome.unexpected,
        "came_back": outcome.came_back,
        "retried": outcome.retried,
        "starts": outcome.lives,
        "stubborn": outcome.stubborn,
        "done": {str(deed): dict(targets) for deed, targets in _by_deed(outcome.done).items()},
    }


def write_json(file: Path, figures: Mapping[str, Any]) -> None:
    """Write the figures, in a folder that may not be there yet."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n")


def _by_deed(done: Counter[tuple[Deed, str]]) -> dict[Deed, Counter[str]]:
    sorted_out: dict[Deed, Counter[str]] = {deed: Counter() for deed in Deed if deed is not Deed.GO_ON}
    for (deed, target), count in done.items():
        if deed in sorted_out:
            sorted_out[deed][target] += count
    return sorted_out
