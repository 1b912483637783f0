"""The table of faults: a row for each thing that is broken, with what the tests saw, and no row that says nothing."""

from __future__ import annotations

from types import SimpleNamespace

import faults
import pytest
from faults import Row, Table


def report(broken: str = "the disk is full", outcome: str = "passed", when: str = "call", sees=(), instead: str = ""):
    properties = [("fault", ("caches and disks", broken, "what was there", instead)), *(("sees", one) for one in sees)]
    return SimpleNamespace(user_properties=properties, when=when, passed=outcome == "passed", outcome=outcome)


def table_of(*reports) -> Table:
    table = Table()
    for one in reports:
        table.take(one)
    return table


def test_tests_of_one_thing_are_one_row_with_the_first_sentence():
    (row,) = table_of(report(sees=["It is full."]), report(sees=["It is full, too."])).rows()
    assert row.seen == ["“It is full.”", "“It is full, too.”"]
    assert row.outcome == "passed"


def test_one_failure_fails_the_row():
    (row,) = table_of(report(sees=["It is full."]), report(outcome="failed")).rows()
    assert row.outcome == "failed"
    (row,) = table_of(report(outcome="failed", when="setup")).rows()
    assert row.outcome == "failed"


def test_what_is_no_fault_or_only_set_up_is_no_row():
    assert table_of(SimpleNamespace(user_properties=[], when="call", passed=True), report(when="setup")).rows() == []


def test_words_of_the_marker_stand_without_quotes_and_only_where_nothing_was_said():
    assert table_of(report(instead="the heatmap")).rows()[0].seen == ["the heatmap"]
    assert table_of(report(sees=["No."], instead="the heatmap")).rows()[0].seen == ["“No.”"]


def rows(count: int, **more) -> list[Row]:
    return [
        Row("sessions", str(number), "all", **({"seen": ["“a”"], "outcomes": {"passed"}} | more))
        for number in range(count)
    ]


def test_the_table_is_right_with_enough_rows_that_passed_and_say_something():
    assert faults._is_right(rows(faults.LEAST))
    assert not faults._is_right(rows(faults.LEAST - 1))
    assert not faults._is_right([*rows(faults.LEAST), *rows(1, outcomes={"failed"})])
    assert not faults._is_right([*rows(faults.LEAST), *rows(1, seen=[])])
    assert faults._is_right([*rows(faults.LEAST), *rows(1, outcomes={"skipped"}, seen=[])])


def test_a_page_shows_sentences_as_they_are():
    page = table_of(report(sees=["a|b <i> *x* {{y}}"])).markdown()
    assert "“a\\|b \\<i\\> \\*x\\* \\{\\{y\\}\\}”" in page
    assert page.count("## ") == len(faults.GROUPS)


def test_what_is_for_a_log_is_no_sentence_for_a_person(sees):
    assert sees(ValueError("The disk is full.")) == "The disk is full."
    for slip in ("", "Traceback (most recent call last)", "ValueError('x')", "[Errno 28] No space"):
        with pytest.raises(AssertionError):
            sees(slip)
