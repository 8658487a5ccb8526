"""The list of models: every model on every pipeline, and the plain model that leaves the pipeline open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .reading import Refused

__all__ = ["model_ids", "model_list", "model_object", "split_model"]


def model_ids(models: Sequence[str], pipelines: Sequence[str]) -> list[str]:
    """`model@pipeline` for every pair, after the plain names."""
    return [*models, *(f"{model}@{pipeline}" for model in models for pipeline in pipelines)]


def split_model(ident: str) -> tuple[str, str]:
    """The model and the pipeline that a name means; no pipeline is ""."""
    model, _, pipeline = ident.partition("@")
    return model, pipeline


def model_list(ids: Sequence[str], created_s: float) -> dict[str, Any]:
    """`GET /v1/models`."""
    return {"object": "list", "data": [_model(ident, created_s) for ident in ids]}


def model_object(ident: str, ids: Sequence[str], created_s: float) -> dict[str, Any]:
    """`GET /v1/models/{id}`.

    Raises:
        Refused: there is none, status 404.
    """
    if ident not in ids:
        raise Refused(f"the model {ident!r} does not exist", "model", "model_not_found", 404)
    return _model(ident, created_s)


def _model(ident: str, created_s: float) -> dict[str, Any]:
    return {"id": ident, "object": "model", "created": int(created_s), "owned_by": "subsecond"}
