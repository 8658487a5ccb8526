"""Text of a wanted length, for prompts: words that are one token each in the o200k vocabulary."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np

__all__ = ["words"]

#: Each with the blank before it is one token; short, so that an estimate counts them as one too.
VOCABULARY: Final = """
    about above after again against agent answer any apply are array ask async back base batch because been before
    begin below between block both branch buffer build but bytes cache call can case chain change check class clean
    clear client close code column commit compare config copy could count cover data date deep default delay delete
    design disk does done down draft each early edit else empty end error event every exact exit export fail false
    fast fetch field file filter find first fix flag float flow folder follow for form found frame from full
    function get give good graph group grow guard half hand handle has have header help here high history hold how
    idea image import index input insert into item join just keep key kind large last later layer left length less
    level like limit line link list little load local lock log long look loop low made main make many map match may
    mean memory merge message method middle might mode model more most move must name near need never new next node
    none not note number object off old one only open option order other out over own page part pass path plain plan
    point port print queue quick quite range rate raw read ready real record refer region remove reply report reset
    rest result retry return right row rule run safe same save scale schema scope script search second see seed send
    set share short should show side simple single size skip slow small some sort source space split stack stage
    start state step still stop store stream string style such sum system table tail take task test text than that
    the their them then there these they thing think this those time token too tool top total trace tree true try
    turn two type under unit until update upper use user value very view wait walk want was way well were what when
    where which while who wide will with word work would wrap write yet zero
"""
#: Words drawn once; every text is cut out of them.
TAPE: Final = 1 << 16


@lru_cache(1)
def _tape() -> tuple[str, list[int]]:
    """A long text, and where each of its words begins."""
    vocabulary = VOCABULARY.split()
    chosen = np.random.Generator(np.random.PCG64(1)).integers(0, len(vocabulary), TAPE).tolist()
    parts = [f" {vocabulary[at]}" for at in chosen]
    begins = np.concatenate(([0], np.cumsum([len(part) for part in parts]))).tolist()
    return "".join(parts), begins


def words(tokens: int, place: int) -> str:
    """A text of so many tokens, >= 0; cheap, so that long prompts do not hold up other sessions.

    Args:
        place: where on the tape it begins; texts from different places differ.
    """
    text, begins = _tape()
    rounds, rest = divmod(tokens, TAPE)
    at = place % (TAPE - rest)
    return text * rounds + text[begins[at] : begins[at + rest]]
