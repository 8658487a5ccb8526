"""The trace formats: how each is read, and how it is recognised by what stands in a file's first line."""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass

import msgspec

from subsecond.engine.errors import InputError

from . import agents, azure, calls, eva, mooncake, own, weka
from .csvtable import header_of
from .jsonlines import MAX_TOKENS, fault_of
from .parsed import Parsed
from .source import MAX_DOCUMENT_BYTES, Source, shown

__all__ = ["FORMATS", "format_named", "format_of"]

assert MAX_TOKENS < 2**31, "sizes are 32-bit columns"


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write a format down.

    Attributes:
        keys: fields of the first JSON line, or columns of the CSV header, that tell it from all others.
        is_json: whether the file is JSON.
    """

    format: str
    is_json: bool
    keys: frozenset[str]
    read: Callable[[Source], Parsed]


def _weka_json(source: Source) -> Parsed:
    return weka.read_weka_json([source])


WEKA_JSON = Form("weka", True, frozenset({"requests", "block_size"}), _weka_json)

FORMS = (
    WEKA_JSON,
    Form("weka", False, frozenset(weka.TABLE_COLUMNS), weka.read_weka_table),
    Form("mooncake", True, frozenset({"timestamp", "input_length", "output_length"}), mooncake.read_mooncake),
    Form("azure", False, frozenset(azure.COLUMNS), azure.read_azure),
    Form("openhands", False, frozenset(agents.OPENHANDS_COLUMNS), agents.read_openhands),
    Form("tracelab", True, frozenset({"session_id", "round_index", "prefix_tokens"}), agents.read_tracelab),
    Form("tau2-ticks", True, frozenset({"tick_s", "ticks"}), calls.read_tau2_ticks),
    Form("taubench", False, frozenset(agents.TAUBENCH_COLUMNS), agents.read_taubench),
    Form("harpervalley", False, frozenset(calls.HARPERVALLEY_COLUMNS), calls.read_harpervalley),
    Form("eva", True, frozenset({"session", "stack"}), eva.read_eva_session),
    Form("eva", True, frozenset({"t_s", "event"}), eva.read_eva_session),
    Form("eva", False, frozenset(eva.LENGTH_COLUMNS), eva.read_eva_lengths),
    Form("subsecond", True, frozenset({"session", "prompt_tokens", "output_tokens"}), own.read_own),
)

#: Names of all formats.
FORMATS = tuple(dict.fromkeys(form.format for form in FORMS))

#: Public tables that lie beside traces and hold no requests: columns -> what they are.
NO_TRACES = {
    frozenset({"client", "window_start_s", "rate_rps"}): "rates of ServeGen clients, without requests or sizes",
    frozenset({"meeting", "speaker", "start_s", "duration_s"}): "speech of meetings between people",
    frozenset({"date", "calls", "mean_turns_per_call"}): "counts of calls per day",
    frozenset({"model", "n_sims", "response_latency_mean_s"}): "mean latencies of voice systems",
}


def format_of(source: Source) -> Form:
    """The form of a file, by its first line.

    Raises:
        InputError: none fits.
    """
    line = source.first_line()
    keys = _json_keys(line)
    if keys is None and line.startswith(b"{"):
        # one document over many lines
        keys = _document_keys(source)
    is_json = keys is not None
    names = frozenset(keys if keys is not None else header_of(line))
    for form in FORMS:
        if form.is_json == is_json and form.keys <= names:
            return form
    raise _unknown(source, line, names, is_json)


def _unknown(source: Source, line: bytes, names: frozenset[str], is_json: bool) -> InputError:
    """What to say about a file that no form fits."""
    if line.startswith(b"{") and not is_json:
        try:
            msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return fault_of(source.at(1), line, error)
    for columns, what in NO_TRACES.items():
        if not is_json and columns <= names:
            return InputError(source.name, "", what, _expected())
    nearest = max((form for form in FORMS if form.is_json == is_json), key=lambda form: len(form.keys & names))
    lacking = sorted(nearest.keys - names)
    if 2 * len(lacking) <= len(nearest.keys):
        what = "fields" if is_json else "columns"
        expected = f"the {what} {', '.join(lacking)} too, if this is {nearest.format}; or another format"
        return InputError(source.at(1), "" if is_json else "header", shown(line), expected)
    return InputError(source.name, "", shown(line), _expected())


def _expected() -> str:
    return f"a trace in one of the formats {', '.join(FORMATS)}"


def format_named(name: str, source: Source) -> Form:
    """The form of a file that must be of this format.

    Where a format has two forms, the first character tells JSON from a table.

    Raises:
        InputError: no such format, or an empty file.
    """
    forms = [form for form in FORMS if form.format == name]
    if not forms:
        raise InputError("trace format", "", name, f"one of {', '.join(FORMATS)}")
    is_json = source.first_line().startswith(b"{")
    return next((form for form in forms if form.is_json == is_json), forms[0])


def _json_keys(line: bytes) -> Set[str] | None:
    if not line.startswith(b"{"):
        return None
    try:
        return msgspec.json.decode(line, type=dict[str, msgspec.Raw]).keys()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _document_keys(source: Source) -> Set[str] | None:
    size = 0
    for _, block in source.line_blocks():
        size += len(block)
        if size > MAX_DOCUMENT_BYTES:
            return None
    return _json_keys(source.document().strip())
