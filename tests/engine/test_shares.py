"""Shares in words: rounded, and never as if they reached what they miss."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from subsecond.engine.shares import cut_share, share_words

SHARES = st.one_of(
    st.floats(0.0, 1.0),
    st.builds(lambda met, more: met / (met + more), st.integers(0, 10**6), st.integers(1, 10**3)),
)
ASKED = st.integers(1, 1000).map(lambda tenths: tenths / 10 / 100)


def shown(words: str) -> float:
    return float(words.removesuffix(" %")) / 100


@given(SHARES, ASKED)
def test_what_misses_does_not_look_as_if_it_did_not(share: float, asked: float) -> None:
    reads = shown(share_words(share, asked))
    assert abs(reads - share) <= 0.001 + 1e-9
    assert (reads < asked - 1e-9) == (share < asked)


@given(SHARES)
def test_it_is_rounded_and_only_all_of_it_is_all(share: float) -> None:
    reads = shown(share_words(share))
    assert abs(reads - share) <= 0.0005 + 1e-9 or (share < 1 and abs(reads - 0.999) < 1e-9)
    assert (reads == 1.0) == (share == 1.0)


@given(SHARES, ASKED)
def test_what_is_cut_reaches_what_it_reaches(share: float, asked: float) -> None:
    reads = shown(cut_share(share))
    assert -1e-9 <= share - reads < 0.001 + 1e-9
    assert (reads >= asked - 1e-9) == (share >= asked - 1e-9)


def test_examples() -> None:
    assert cut_share(0.9496) == "94.9 %"
    assert cut_share(0.955) == "95.5 %"
    assert share_words(0.7568) == "75.7 %"
    assert share_words(0.9496) == "95.0 %"
    assert share_words(0.9496, 0.95) == "94.9 %"
    assert share_words(0.95, 0.95) == "95.0 %"
    assert share_words(0.99999) == "99.9 %"
