"""Names that try to be paths, for tests of who takes a model's name from outside."""

from __future__ import annotations

from hypothesis import strategies as st

_PIECES = (
    *("..", ".", "/", "\\", "~", "\0", "\n", " ", ":", "*", "$HOME", "%2e", "%2E%2e", "%2f", "%5c", "%00", "%c0%ae"),
    # One and two dots, and a slash, as other signs that some systems take for them.
    *("\uff0e", "\u2025", "\u2024", "\u2215", "\uff0f", "\u202e", "\u00e9", "e\u0301", "\ud800"),
    *("etc", "passwd", "digits", "outside", "store", "1", "model.pb", "x" * 64, "x" * 5000),
)

NAMES = st.one_of(
    st.text(max_size=100),
    st.lists(st.sampled_from(_PIECES), min_size=1, max_size=8).map("".join),
    st.from_regex(r"[a-z0-9][a-z0-9._-]{0,70}", fullmatch=True),
)
