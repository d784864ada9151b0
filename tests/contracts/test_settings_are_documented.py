"""docs/settings.md is the table of tasks/settings.py."""

from __future__ import annotations

import ast
from pathlib import Path

from tasks.setting import Description
from tasks.settings import describe

ROOT = Path(__file__).parents[2]


def shown_default(default: object) -> str:
    return "not set" if default in ("", None) else f"`{default}`"


def shown_range(description: Description) -> str:
    return "" if description.low is None else f"{description.low} to {description.high}"


def test_the_page_has_a_row_for_each_setting_and_no_other() -> None:
    page = (ROOT / "docs" / "settings.md").read_text().splitlines()
    rows = [line for line in page if line.startswith("| `")]
    wanted = [
        f"| `{description.name}` | {description.meaning} | {shown_default(default)} | {shown_range(description)} |"
        for description, default in describe()
    ]
    assert rows == wanted


def test_the_environment_is_read_in_one_place() -> None:
    readers = {
        str(path.relative_to(ROOT))
        for package in ("api", "tasks", "model_store")
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
    }
    # The others only pass it on to a child, or quieten a library.
    assert readers <= {"tasks/settings.py", "tasks/flower_server.py", "tasks/worker.py", "tasks/tune_command.py"}
