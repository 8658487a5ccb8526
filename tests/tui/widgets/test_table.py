"""Keys, mouse, order, filter and cursor of the live table."""

from __future__ import annotations

import pytest
from textual.events import MouseScrollDown

from subsecond.tui.widgets.table import LiveTable, TableRow


def _row(key, value, word="x"):
    return TableRow(key, (str(key), word, str(value), ""), (key, word, value, None))


def _rows(kit, count=100):
    return [_row(place, place * 10) for place in range(count)]


def _keys(table):
    return [row.key for row in table.shown]


def _table(kit, rows=None, **options):
    table = LiveTable(kit.COLUMNS, **options)
    table.update(_rows(kit) if rows is None else rows)
    return table


def _press(kit, table, *steps, size=(60, 11)):
    """Press keys; between them, call what is callable. Returns what was posted."""
    posted = []

    async def body(app, pilot):
        app.widget.focus()
        for step in steps:
            if callable(step):
                step(app)
            else:
                await pilot.press(step)
            await pilot.pause()
        posted.extend(app.posted)

    kit.run(table, body, size=size)
    return posted


def _first_line(table):
    return round(table.scroll_y)


def test_arrows_move_and_enter_opens(kit):
    posted = _press(kit, _table(kit), "down", "down", "up", "enter")
    assert posted == [("highlighted", 1), ("highlighted", 2), ("highlighted", 1), ("selected", 1)]


def test_pages_home_and_end_scroll_the_cursor_into_sight(kit):
    table = _table(kit)
    seen = []

    def note(app):
        first = _first_line(table)
        seen.append((table.cursor_key, first <= table.cursor_key < first + 10))

    _press(kit, table, "pagedown", note, "pagedown", note, "end", note, "pageup", note, "home", note, "up", note)
    assert seen == [(10, True), (20, True), (99, True), (89, True), (0, True), (0, True)]


def test_last_row_is_on_the_last_line(kit):
    table = _table(kit)
    picture = []
    _press(kit, table, "end", lambda app: picture.append(kit.text_of(table)))
    assert picture[0].splitlines()[-1].startswith("▸99")


def test_empty_table_takes_every_key(kit):
    table = _table(kit, rows=[])
    keys = ["down", "up", "pageup", "pagedown", "home", "end", "enter", "less_than_sign", "greater_than_sign", "i"]
    assert _press(kit, table, *keys) == []
    assert table.cursor_key is None


def test_cursor_stays_on_its_key_while_rows_move(kit):
    table = _table(kit, sort="last", descending=False)
    seen = []

    def worst(app):
        table.update([_row(key, value if key != 3 else 10_000) for key, value in ((k, k * 10) for k in range(100))])

    def note(app):
        first = _first_line(table)
        place = _keys(table).index(table.cursor_key)
        seen.append((table.cursor_key, place, first <= place < first + 10))

    _press(kit, table, "down", "down", "down", note, worst, note)
    assert seen == [(3, 3, True), (3, 99, True)]


def test_cursor_not_moved_stays_at_the_top(kit):
    table = _table(kit, sort="last", descending=True)
    seen = []
    rows = [_row(key, -key) for key in range(100)]
    _press(kit, table, lambda app: seen.append(table.cursor_key), lambda app: table.update(rows),
           lambda app: seen.append((table.cursor_key, _first_line(table))))  # fmt: skip
    assert seen == [99, (0, 0)]


def test_home_lets_the_cursor_stay_at_the_top_again(kit):
    table = _table(kit, sort="last", descending=True)
    rows = [_row(key, -key) for key in range(100)]
    _press(kit, table, "down", "home", lambda app: table.update(rows))
    assert table.cursor_key == 0


def test_cursor_stays_in_place_when_its_row_goes(kit):
    table = _table(kit)
    _press(kit, table, "down", "down", lambda app: table.update([row for row in _rows(kit) if row.key != 2]))
    assert table.cursor_key == 3


def test_cursor_fits_into_fewer_rows(kit):
    table = _table(kit)
    picture = []
    _press(kit, table, "end", lambda app: table.update(_rows(kit, 3)), lambda app: picture.append(kit.text_of(table)))
    assert table.cursor_key == 2
    assert "▸2" in picture[0]


def test_move_cursor_by_key(kit):
    table = _table(kit)
    assert table.move_cursor(50)
    assert not table.move_cursor("no such row")
    assert table.cursor_key == 50


def test_sort_is_stable_and_puts_nothing_last(kit):
    rows = [_row(1, 5), _row(2, None), _row(3, 5), _row(4, 1)]
    table = _table(kit, rows, sort="last", descending=False)
    assert _keys(table) == [4, 1, 3, 2]
    table.sort_by("last", True)
    assert _keys(table) == [1, 3, 4, 2]
    table.sort_by(None)
    assert _keys(table) == [1, 2, 3, 4]


def test_numbers_and_words_in_one_column(kit):
    table = _table(kit, [_row(1, "b"), _row(2, 7), _row(3, "a")], sort="last", descending=False)
    assert _keys(table) == [2, 3, 1]


def test_unknown_column_is_refused(kit):
    with pytest.raises(KeyError):
        _table(kit).sort_by("nonsense")


def test_keys_choose_the_sort_and_the_header_shows_it(kit):
    table = _table(kit)
    heads = []

    def note(app):
        heads.append(kit.text_of(table).splitlines()[0].split())

    _press(kit, table, note, "greater_than_sign", note, "i", note, "less_than_sign", note)
    assert heads == [
        ["session", "agent", "last", "state"],
        ["session▲", "agent", "last", "state"],
        ["session▼", "agent", "last", "state"],
        ["session", "agent", "last", "state▲"],
    ]


def test_filter_needs_every_word_and_says_how_many(kit):
    table = _table(kit, [_row(1, 5, "coding"), _row(2, 6, "voice"), _row(3, 56, "Coding")])
    table.filter("coding 5")
    assert _keys(table) == [1, 3]
    picture = []
    _press(kit, table, lambda app: picture.append(kit.text_of(table)))
    assert picture[0].splitlines()[0].split() == ["/coding", "5", "2", "of", "3"]
    table.filter("")
    assert _keys(table) == [1, 2, 3]


def test_filter_that_nothing_passes_says_so(kit):
    table = _table(kit)
    table.filter("zebra")
    picture = []
    _press(kit, table, lambda app: picture.append(kit.text_of(table)), "enter")
    assert "Nothing matches zebra" in picture[0]


def test_click_moves_and_a_second_click_opens(kit):
    async def body(app, pilot):
        await pilot.click(LiveTable, offset=(5, 4))
        await pilot.click(LiveTable, offset=(5, 4))
        await pilot.pause()
        assert app.posted == [("highlighted", 3), ("selected", 3)]

    kit.run(_table(kit), body, size=(60, 11))


def test_click_on_a_title_sorts_and_again_turns_around(kit):
    async def body(app, pilot):
        table = app.widget
        await pilot.click(LiveTable, offset=(44, 0))
        assert (table.sort_key, table.descending) == ("last", True)
        await pilot.click(LiveTable, offset=(44, 0))
        assert (table.sort_key, table.descending) == ("last", False)
        await pilot.click(LiveTable, offset=(2, 0))
        assert (table.sort_key, table.descending) == ("session", False)
        assert app.posted == []

    kit.run(_table(kit), body, size=(60, 11))


def test_click_below_the_rows_does_nothing(kit):
    async def body(app, pilot):
        await pilot.click(LiveTable, offset=(5, 9))
        assert app.posted == []

    kit.run(_table(kit, _rows(kit, 2)), body, size=(60, 11))


def test_wheel_scrolls_and_leaves_the_cursor(kit):
    async def body(app, pilot):
        table = app.widget
        await pilot._post_mouse_events([MouseScrollDown], table, offset=(5, 5), button=0)
        await pilot.pause()
        assert _first_line(table) > 0
        assert table.cursor_key == 0
        await pilot.click(LiveTable, offset=(5, 4))
        assert table.cursor_key == 3 + _first_line(table)

    kit.run(_table(kit), body, size=(60, 11))


def test_rows_are_formatted_only_where_they_are_seen(kit, monkeypatch):
    formatted = []
    original = LiveTable._row

    def row(self, y, width):
        formatted.append(y)
        return original(self, y, width)

    monkeypatch.setattr(LiveTable, "_row", row)
    table = _table(kit, _rows(kit, 5000))
    _press(kit, table, lambda app: formatted.clear(), lambda app: table.update([_row(k, k) for k in range(5000)]))
    assert 0 < len(formatted) <= 11
