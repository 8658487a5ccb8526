"""Knobs: what a parameter may be is what a pipeline can be built with, and what acts at once is what a run can take."""

from __future__ import annotations

import pytest

from subsecond.engine.catalog import catalog
from subsecond.engine.errors import InputError
from subsecond.engine.latency.knobs import Knobs
from subsecond.engine.latency.parameters import Domain
from subsecond.engine.latency.pipelines import build_pipeline

PIPELINES = catalog().names("pipelines")


@pytest.mark.parametrize("name", PIPELINES)
def test_every_parameter_says_what_it_may_be_and_its_default_is_among_it(name: str) -> None:
    knobs = Knobs(name, {})
    for key, value in build_pipeline(name).parameters.items():
        domain = knobs.domain(key)
        if value.number is None:
            assert value.text in domain.choices
        else:
            assert domain.least <= value.number <= domain.most, key
            assert not domain.is_whole or value.number % 1 == 0


@pytest.mark.parametrize("name", PIPELINES)
def test_every_choice_can_be_built(name: str) -> None:
    knobs = Knobs(name, {})
    for key in build_pipeline(name).parameters:
        for choice in knobs.domain(key).choices:
            build_pipeline(name, overrides={key: choice})


def test_choices_are_those_of_the_other_values() -> None:
    few = Knobs("gpu", {"gpus": 1, "tensor_parallel": 1}).domain("model").choices
    many = Knobs("gpu", {"gpus": 16, "tensor_parallel": 16}).domain("model").choices
    assert set(few) < set(many)


def test_a_parameter_that_is_read_twice_may_be_what_both_readers_take() -> None:
    domain = Knobs("trn-cs3", {}).domain("decode_draft_tokens")
    assert domain.is_whole
    assert 0 == domain.least < domain.most < 100
    assert Knobs("trn-cs3", {}).domain("overlap") == Domain(0, 1, is_whole=True, is_switch=True)


@pytest.mark.parametrize(
    ("key", "value", "at_once"),
    [
        ("prefill_utilisation_factor", 0.5, True),
        ("network_ms", 9.0, False),
        ("network_ms", 5.0, True),
        ("prefill_replicas", 2, False),
        ("decode_lost", "retry", False),
    ],
)
def test_a_change_of_step_times_alone_acts_at_once(key: str, value: float | str, at_once: bool) -> None:
    assert Knobs("trn-cs3", {}).acts_at_once(key, value) == at_once


def test_what_cannot_be_built_says_why() -> None:
    with pytest.raises(InputError, match="divisor"):
        Knobs("gpu", {}).acts_at_once("tensor_parallel", 3)
    with pytest.raises(InputError, match="catalog"):
        Knobs("no-such-pipeline", {})
