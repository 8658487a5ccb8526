"""The list of models."""

from __future__ import annotations

import pytest
from openai.types import Model

from subsecond.agents.wire.models import model_ids, model_list, model_object, split_model
from subsecond.agents.wire.reading import Refused

IDS = model_ids(["gpt-oss-120b"], ["trn-cs3", "gpu"])


def test_every_model_on_every_pipeline() -> None:
    listed = model_list(IDS, 1_750_000_000.5)
    assert listed["object"] == "list"
    assert [Model.model_validate(model).id for model in listed["data"]] == [
        "gpt-oss-120b",
        "gpt-oss-120b@trn-cs3",
        "gpt-oss-120b@gpu",
    ]


def test_one_model() -> None:
    assert Model.model_validate(model_object("gpt-oss-120b@gpu", IDS, 1.0)).owned_by == "subsecond"
    with pytest.raises(Refused, match="the model 'x' does not exist") as caught:
        model_object("x", IDS, 1.0)
    assert (caught.value.status, caught.value.code) == (404, "model_not_found")


@pytest.mark.parametrize(("ident", "expected"), [("a", ("a", "")), ("a@b", ("a", "b")), ("a@b@c", ("a", "b@c"))])
def test_a_name_says_model_and_pipeline(ident: str, expected: tuple[str, str]) -> None:
    assert split_model(ident) == expected
