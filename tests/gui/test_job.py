"""The worker: states, order of signals, who runs where, and that nothing is left behind."""

from __future__ import annotations

import gc
import threading

import pytest

from napari_anoclip.engine.errors import AnoCLIPError, Cancelled, ImageError
from napari_anoclip.engine.progress import Progress, Reporter
from napari_anoclip.plugin.job import Job, JobState


@pytest.fixture
def job(qtbot):
    job = Job()
    yield job
    job.close()


def until_cancelled(on_progress, cancel):
    """Works in small steps for as long as it is let."""
    report = Reporter(on_progress, cancel)
    for step in range(10_000):
        report("working", step, 10_000)
        cancel.wait(0.01)
    raise AssertionError("never cancelled")


def test_work_runs_in_a_thread_and_is_heard_in_this_one(job, qtbot):
    heard = []
    job.progressed.connect(lambda progress: heard.append((progress, threading.current_thread())))

    def work(on_progress, cancel):
        on_progress(Progress("working", 1, 2))
        return threading.current_thread()

    with qtbot.waitSignal(job.succeeded, timeout=5000) as done:
        assert job.start(work)
        assert job.state is JobState.RUNNING
    assert done.args[0] is not threading.current_thread()
    assert heard == [(Progress("working", 1, 2), threading.current_thread())]
    assert job.state is JobState.IDLE


def test_only_one_run_at_a_time(job, qtbot):
    job.start(until_cancelled)
    assert not job.start(lambda on_progress, cancel: "second")
    with qtbot.waitSignal(job.cancelled, timeout=5000):
        job.cancel()


def test_cancel_goes_through_its_own_state(job, qtbot):
    states = []
    job.state_changed.connect(states.append)
    job.start(until_cancelled)
    with qtbot.waitSignal(job.cancelled, timeout=5000):
        job.cancel()
        job.cancel()
    assert states == [JobState.RUNNING, JobState.CANCELLING, JobState.IDLE]


@pytest.mark.fault("threads", "a result comes after Cancel", "the layers as they were", sees="nothing")
def test_a_result_that_comes_after_cancel_is_not_shown(job, qtbot):
    shown = []
    job.succeeded.connect(shown.append)

    def deaf(on_progress, cancel):
        cancel.wait(5)
        return "result"

    job.start(deaf)
    with qtbot.waitSignal(job.cancelled, timeout=5000):
        job.cancel()
    assert shown == []


def test_an_expected_error_arrives_as_it_is(job, qtbot):
    def work(on_progress, cancel):
        raise ImageError("This is no image.")

    with qtbot.waitSignal(job.failed, timeout=5000) as failed:
        job.start(work)
    assert str(failed.args[0]) == "This is no image."
    assert job.state is JobState.FAILED


def test_an_unexpected_error_becomes_a_sentence_and_the_log_has_the_rest(job, qtbot, caplog):
    def work(on_progress, cancel):
        raise ZeroDivisionError("secret detail")

    with qtbot.waitSignal(job.failed, timeout=5000) as failed:
        job.start(work)
    error = failed.args[0]
    assert isinstance(error, AnoCLIPError)
    assert not isinstance(error, Cancelled)
    assert "secret detail" not in str(error)
    assert "ZeroDivisionError: secret detail" in caplog.text


def test_the_next_run_works_after_a_failed_one(job, qtbot):
    with qtbot.waitSignal(job.failed, timeout=5000):
        job.start(lambda on_progress, cancel: 1 // 0)
    with qtbot.waitSignal(job.succeeded, timeout=5000):
        job.start(lambda on_progress, cancel: "fine")


@pytest.mark.fault("threads", "a dock closes while its thread works", "no thread is left", sees="the dock closes")
def test_close_joins_the_thread_and_drops_what_it_had_to_say(job, qtbot):
    heard = []
    for signal in (job.progressed, job.succeeded, job.failed):
        signal.connect(heard.append)
    started = threading.Event()

    def work(on_progress, cancel):
        started.set()
        until_cancelled(on_progress, cancel)

    job.start(work)
    assert started.wait(5)
    job.close()
    assert not any(thread.name == "anoclip-run" for thread in threading.enumerate())
    qtbot.wait(50)
    assert heard == []


def test_full_garbage_collections_wait_for_the_end_of_all_jobs(job, qtbot):
    usual = gc.get_threshold()
    during = []
    other = Job()
    let_go = threading.Event()
    other.start(lambda on_progress, cancel: let_go.wait(5))
    with qtbot.waitSignal(job.succeeded, timeout=5000):
        job.start(lambda on_progress, cancel: during.append(gc.get_threshold()))
    assert during[0][:2] == usual[:2]
    assert during[0][2] > usual[2]
    assert gc.get_threshold() == during[0], "another job is still under way"
    with qtbot.waitSignal(other.succeeded, timeout=5000):
        let_go.set()
    assert gc.get_threshold() == usual


def test_parts_are_heard_while_the_work_goes_on(job, qtbot):
    parts = []
    job.published.connect(lambda part: parts.append((part, job.state, threading.current_thread())))

    def work(on_progress, cancel):
        on_progress.publish("first")
        on_progress.publish("second")

    with qtbot.waitSignal(job.succeeded, timeout=5000):
        job.start(work)
    assert parts == [(part, JobState.RUNNING, threading.main_thread()) for part in ("first", "second")]


def test_the_newest_takes_the_place_of_what_is_under_way(job, qtbot):
    heard = []
    for signal in (job.progressed, job.published, job.succeeded, job.failed, job.cancelled):
        signal.connect(lambda *words: heard.append(words))
    let_go = threading.Event()

    def stubborn(on_progress, cancel):
        """Looks at no flag, and has much to say when it is late."""
        let_go.wait(5)
        on_progress(Progress("late", 1, 1))
        on_progress.publish("late")
        return "late"

    job.start(stubborn)
    for name in ("second", "third"):
        assert job.start(lambda on_progress, cancel, name=name: name, newest=True)
        assert job.state is JobState.RUNNING
    with qtbot.waitSignal(job.succeeded, timeout=5000):
        let_go.set()
    assert heard == [("third",)], "one that was replaced before it began does not run"


def test_cancel_means_what_waits_as_well(job, qtbot):
    ran = []
    job.start(until_cancelled)
    job.start(lambda on_progress, cancel: ran.append("newer"), newest=True)
    with qtbot.waitSignal(job.cancelled, timeout=5000):
        job.cancel()
    assert ran == []
    assert job.state is JobState.IDLE


def test_an_error_of_the_replaced_work_is_no_news(job, qtbot):
    failures = []
    job.failed.connect(failures.append)
    let_go = threading.Event()

    def fails(on_progress, cancel):
        let_go.wait(5)
        raise ImageError("Too late.")

    job.start(fails)
    job.start(lambda on_progress, cancel: "fine", newest=True)
    with qtbot.waitSignal(job.succeeded, timeout=5000):
        let_go.set()
    assert failures == []
