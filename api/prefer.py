"""The header `Prefer` of RFC 7240: `respond-async, wait=10`."""

from __future__ import annotations

from dataclasses import dataclass

from werkzeug.http import parse_list_header


@dataclass(frozen=True)
class Preferences:
    """What of `Prefer` is understood here; `wait_s` is 0 when no wait was asked for."""

    respond_async: bool
    wait_s: int

    def applied(self, waited: bool) -> str:
        """The header `Preference-Applied`; empty when there is nothing to say."""
        words = ["respond-async"] if self.respond_async else []
        if waited:
            words.append(f"wait={self.wait_s}")
        return ", ".join(words)


def parse_prefer(header: str, max_wait_s: int) -> Preferences:
    """Read the header's value; several headers are one value, joined with commas.

    As the RFC asks: names in any case, the first of two equal names counts, and what is not understood, a `wait` that
    is no whole number too, is passed over. A longer wait is cut to `max_wait_s`.
    """
    found: dict[str, str] = {}
    for preference in parse_list_header(header):
        name, _, value = preference.partition(";")[0].partition("=")
        found.setdefault(name.strip().lower(), value.strip().strip('"'))
    wait = found.get("wait", "")
    wait_s = min(int(wait[:9]), max_wait_s) if wait.isascii() and wait.isdigit() else 0
    return Preferences("respond-async" in found, wait_s)
