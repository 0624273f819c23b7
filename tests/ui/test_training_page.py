from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.evaluation.metrics import Difference
from app.evaluation.slices import Slice
from app.feedback import FeedbackStore, Judgement
from app.feedback.deletion_rates import DeletionRate, DeletionRates
from app.registry import Promotion, Registry
from app.settings import Settings
from app.training.fit.trainer import Loss
from app.training.jobs import TrainingJobStore
from app.training.plan import Plan
from app.ui.training.comparison import card_markdown, headline, points
from app.ui.training.models import history_line, rate_words
from app.ui.training.progress import outcome_words, progress_words, steps_of
from tests.app.gate_builder import add_model, add_training, make_gate_report, make_losses
from tests.app.report_builder import make_change
from tests.ui.conftest import Run

pytestmark = pytest.mark.slow

LONG_AGO = (datetime.now(UTC) - timedelta(hours=5)).isoformat()
PROMOTED = Promotion(1, "2026-11-21T14:30:00.000+00:00", "ben", "reranker-1", "shipped", "promote", "", "promote")


def training() -> None:
    from app.ui.training import page as training_page

    training_page.show()


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The homes for which a training process was started; none really is."""
    homes: list[Path] = []
    monkeypatch.setattr(TrainingJobStore, "start_worker", lambda store: homes.append(store.home))
    return homes


def give_feedback(home: Path, num_questions: int) -> None:
    """So many questions with a passage that answers, and one passage that does not."""
    answers = [
        Judgement(
            user="ann",
            question=f"Question {n}?",
            label="relevant",
            chunk_id=f"{n}",
            document="a/b.md",
            text=f"It is {n}.",
        )
        for n in range(num_questions)
    ]
    wrong = Judgement(user="ann", question="Question 0?", label="not relevant", document="a/b.md", text="Nothing.")
    FeedbackStore(home).judge([*answers, wrong])


def texts(page: AppTest) -> str:
    assert not page.exception
    kinds = (page.header, page.markdown, page.caption, page.info, page.warning, page.success, page.error)
    return "\n".join(str(element.value) for elements in kinds for element in elements)


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def click(page: AppTest, label: str) -> AppTest:
    next(button for button in page.button if button.label == label).click().run()
    assert not page.exception
    return page


# training data --------------------------------------------------------------------------------------------


def test_without_feedback_the_page_says_what_to_do(run_page: Run) -> None:
    page = run_page(training)
    assert "No training data yet" in texts(page)
    assert "67 more questions with an answering passage" in texts(page)
    assert "**shipped**, comes with Citeloop" in texts(page)
    assert next(button for button in page.button if button.label == "Start training").disabled


@pytest.mark.parametrize(("num_questions", "set_aside"), [(1, ""), (3, " About 1 of the questions is set aside")])
def test_few_questions_are_counted_in_whole_sentences(
    run_page: Run, home: Path, num_questions: int, set_aside: str
) -> None:
    give_feedback(home, num_questions)
    shown = texts(run_page(training))
    assert ("set aside" in shown) == bool(set_aside)
    assert set_aside in shown


def test_what_there_is_to_learn_from_is_counted(run_page: Run, home: Path) -> None:
    give_feedback(home, 10)
    page = run_page(training)
    assert "10 questions: 10 passages that answer, 1 that do not. About 3 of the questions" in texts(page)
    assert page.get("progress")[0].proto.text == "10 of 67 questions needed, each with a passage that answers"
    table = page.expander[0].dataframe[0].value
    assert table.to_dict("records") == [
        {"From": "Decided by a curator", "Answer": 10, "Do not answer": 1, "Not used for training": 0}
    ]


def test_a_training_is_queued_and_started(run_page: Run, home: Path, started: list[Path]) -> None:
    give_feedback(home, 70)
    page = click(run_page(training), "Start training")
    (job,) = TrainingJobStore(home).jobs()
    assert (job.plan, job.user, job.state) == (Plan(), "ann", "queued")
    assert started == [home]
    assert "Training started" in texts(page)
    assert next(button for button in page.button if button.label == "Start training").disabled


def test_a_new_reranker_of_another_kind_can_be_trained(run_page: Run, home: Path, started: list[Path]) -> None:
    give_feedback(home, 70)
    page = run_page(training)
    assert len(page.text_input) == 0
    page.radio(key="training-kind").set_value("cross-encoder").run()
    page.text_input(key="training-base").set_value(" some/base ").run()
    page.number_input(key="training-seed").set_value(7).run()
    click(page, "Start training")
    assert TrainingJobStore(home).jobs()[0].plan == Plan("cross-encoder", "some/base", 7)


def test_a_training_that_cannot_be_started_says_why(run_page: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_store: TrainingJobStore) -> None:
        raise OSError("no space left on device")

    give_feedback(home, 70)
    monkeypatch.setattr(TrainingJobStore, "start_worker", fail)
    assert "no space left on device" in texts(click(run_page(training), "Start training"))


# trainings -----------------------------------------------------------------------------------------------


def test_a_running_training_shows_how_far_it_is_with_its_curves(run_page: Run, home: Path) -> None:
    ago = (datetime.now(UTC) - timedelta(seconds=80)).isoformat()
    add_training(home, *make_losses(), current="training", step=80, num_steps=120, started_at=ago, learning_since=ago)
    page = run_page(training)
    assert "Continue from the live reranker" in texts(page)
    assert "**Training**" in texts(page)
    words = page.get("progress")[1].proto.text
    assert re.fullmatch(r"Step 80 of 120, about [4-9]\d s left, then the comparison", words)  # time goes on
    assert len(page.get("vega_lite_chart")) == 1
    assert "Started by you" in texts(page)


def test_a_running_training_is_asked_to_stop(run_page: Run, home: Path) -> None:
    job = add_training(home, current="training")
    page = click(run_page(training), "Cancel")
    assert TrainingJobStore(home).job(job.id).cancel_requested
    assert "Stopping" in texts(page)
    assert "Cancel" not in labels(page)


def test_a_training_whose_process_is_gone_can_be_resumed(run_page: Run, home: Path, started: list[Path]) -> None:
    job = add_training(home, *make_losses(), current="training", step=80, num_steps=120, heartbeat_at=LONG_AGO)
    page = run_page(training)
    assert "Stopped: its process is gone" in texts(page)
    assert page.get("progress")[1].proto.text == "Step 80 of 120"
    click(page, "Resume")
    assert TrainingJobStore(home).job(job.id).heartbeat_at is None
    assert started == [home]


@pytest.mark.parametrize(("has_worker", "expected"), [(True, 0), (False, 1)])
def test_a_queued_training_can_be_begun_unless_its_process_is_starting(
    run_page: Run, home: Path, monkeypatch: pytest.MonkeyPatch, has_worker: bool, expected: int
) -> None:
    job = TrainingJobStore(home).add(Plan(), "ann")
    TrainingJobStore(home).update(job.id, created_at=LONG_AGO)
    monkeypatch.setattr(TrainingJobStore, "has_worker", has_worker)
    assert labels(run_page(training)).count("Resume") == expected


def test_a_failed_training_says_why_and_can_be_run_again(run_page: Run, home: Path, started: list[Path]) -> None:
    job = add_training(home)
    TrainingJobStore(home).end(job.id, "failed", "no space [x](http://evil.example)")
    page = run_page(training)
    assert r":red[no space \[x\](http\://evil.example)]" in texts(page)
    click(page, "Run again")
    assert TrainingJobStore(home).job(job.id).state == "queued"
    assert started == [home]


def test_earlier_trainings_are_folded_away(run_page: Run, home: Path) -> None:
    for verdict in ("keep", "promote"):
        job = add_training(home, model="reranker-1", verdict=verdict)
        TrainingJobStore(home).end(job.id, "done")
    page = run_page(training)
    (earlier,) = [each for each in page.expander if each.label == "Earlier trainings"]
    assert "reranker-1: not better" in earlier.markdown[0].value
    assert "reranker-1: better" in texts(page)


# comparison and models -----------------------------------------------------------------------------------


def test_both_kinds_of_questions_are_shown_with_their_gain(run_page: Run, home: Path) -> None:
    again = Slice(12, Difference(0.061, 0.02, 0.1, 0.01), 8, 1)
    add_model(home, make_gate_report("reranker-1", asked_before=again))
    shown = texts(run_page(training))
    assert "Asked before  \n**+6.1 points**" in shown
    assert "+2.0 to +10.0, 12 questions" in shown
    assert "New questions  \n**+5.0 points**" in shown


def test_a_model_is_put_on_trial_and_the_trial_is_stopped(run_page: Run, home: Path) -> None:
    add_model(home, make_gate_report("reranker-1", gain=0.02, p_value=0.3))
    page = click(run_page(training), "Try reranker-1 on real questions")
    trial = Registry(home).trial()
    assert trial
    assert (trial.model, trial.live, trial.who) == ("reranker-1", "shipped", "ann")
    assert "reranker-1 is on trial" in texts(page)
    assert "Answers with a strike-out so far\\: 0. The trial ends after 200 at the latest" in texts(page)
    assert "by you. Nothing is promoted automatically" in texts(page)
    assert "Trial of reranker-1 against shipped" in [heading.value for heading in page.header]
    assert "Try reranker-1 on real questions" not in labels(page)
    assert "Stop the trial" not in labels(page)  # it opens a question instead
    page = click(page, "Stop the trial now")
    assert Registry(home).trial() is None
    assert not any(heading.value.startswith("Trial") for heading in page.header)
    assert "The trial of reranker-1 against shipped was stopped" in texts(page.run())


def test_a_better_model_is_promoted_from_its_comparison(run_page: Run, home: Path) -> None:
    changes = [make_change("how many *days*?", 0.25, 1.0), make_change("lost one?", 1.0, 0.5)]
    add_model(home, make_gate_report("reranker-1", changes=changes))
    page = run_page(training)
    assert page.success[0].value.startswith("reranker-1 ranks passages better than shipped\\: 79.0 of 100 points")
    assert len(page.get("vega_lite_chart")) == 3
    assert [tab.label for tab in page.tabs] == ["Gained (1)", "Lost (1)"]
    assert page.tabs[0].expander[0].label == r"**+75 points** · how many \*days\*?"
    assert page.dataframe[0].value["Change"].tolist() == ["+5.0", "+5.0"]
    page.text_input(key="promote-why-comparison-reranker-1").set_value("better here")
    click(page, "Promote reranker-1 now")
    (line,) = Registry(home).history()
    assert (line.model, line.who, line.why, line.verdict) == ("reranker-1", "ann", "better here", "promote")
    assert "reranker-1 is live" in texts(page)
    assert "by you: better here" in texts(page)


@pytest.mark.parametrize(
    ("gain", "num_questions", "warning"),
    [
        (0.001, 48, "too little feedback to tell"),
        (-0.2, 48, "not better than shipped"),
        (0.05, 8, "too little feedback to tell"),
    ],
)
def test_against_the_comparison_a_reason_is_demanded(
    run_page: Run, home: Path, gain: float, num_questions: int, warning: str
) -> None:
    add_model(home, make_gate_report("reranker-1", gain=gain, p_value=0.5, num_questions=num_questions))
    page = run_page(training)
    assert warning in "".join(element.value for element in page.warning)
    click(page, "Promote reranker-1 now")
    assert not Registry(home).history()
    assert "Enter a reason" in texts(page)
    page.text_input(key="promote-why-comparison-reranker-1").set_value("asked for by the board")
    click(page, "Promote reranker-1 now")
    assert Registry(home).live() == "reranker-1"
    assert "against the comparison" in texts(page)


def test_a_model_that_was_compared_with_another_live_one_is_promoted_for_a_reason_only(
    run_page: Run, home: Path
) -> None:
    for name in ("reranker-1", "reranker-2"):
        add_model(home, make_gate_report(name))
    Registry(home).promote("reranker-1", "ben", "")
    page = run_page(training)
    assert "was compared with shipped, but reranker\\-1 is live" in texts(page).replace("-1", "\\-1")
    click(page, "Promote reranker-2 now")
    assert Registry(home).live() == "reranker-1"


def test_a_model_that_went_live_since_the_page_was_drawn_stops_a_promotion(run_page: Run, home: Path) -> None:
    for name in ("reranker-1", "reranker-2"):
        add_model(home, make_gate_report(name))
    page = run_page(training)
    Registry(home).promote("reranker-1", "ben", "")
    click(page, "Promote reranker-2 now")
    assert "Enter a reason" in texts(page)
    assert Registry(home).live() == "reranker-1"


def test_a_home_with_models_and_trainings_of_an_older_version_opens(run_page: Run, home: Path) -> None:
    add_model(home, make_gate_report("embedder-1"), kind="embedder")
    add_model(home, make_gate_report("reranker-1"))
    for name in ("embedder-1", "reranker-1"):  # judged together
        path = Registry(home).folder(name) / "gate.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"embedder": "embedder-1"}))
    for kind in ("embedder", "both"):
        TrainingJobStore(home).end(add_training(home, kind=kind).id, "failed", "no space")
    page = run_page(training)
    assert "finds passages by meaning" in texts(page)
    assert "reranker-1 was not compared with the live model" in texts(page)
    assert not {"Promote embedder-1 now", "Show comparison of embedder-1"} & set(labels(page))
    click(page, "Promote reranker-1 now")
    assert Registry(home).live() == "shipped", "a reason is demanded"
    click(page, "Remove embedder-1")


def test_a_model_without_a_comparison_has_no_section_and_a_warning(run_page: Run, home: Path) -> None:
    add_model(home)
    page = run_page(training)
    assert "Comparison" not in [element.value for element in page.header]
    assert "it may be worse" in texts(page)


def test_what_was_live_before_comes_back(run_page: Run, home: Path) -> None:
    add_model(home, make_gate_report("reranker-1"))
    Registry(home).promote("reranker-1", "ben", "for a try")
    page = run_page(training)
    assert "by ben: for a try. Previously: shipped" in texts(page)
    page.text_input(key="rollback-why").set_value("worse")
    click(page, "Roll back to shipped")
    assert Registry(home).live() == "shipped"
    assert Registry(home).history()[0].why == "worse"
    assert "Roll back to shipped" not in labels(page)


def test_the_live_model_that_fails_is_told_of(run_page: Run, home: Path) -> None:
    add_model(home, make_gate_report("reranker-1"))
    Registry(home).promote("reranker-1", "ben", "")
    Registry(home).note_fallback("reranker-1", "shipped", "the file is damaged")
    Registry(home).note_fallback("shipped", "none", "the file is damaged")
    assert "reranker-1 failed, so shipped was used instead" in run_page(training).error[0].value
    Registry(home).rollback("ben", "")
    Registry(home).promote("reranker-1", "ben", "put back")
    assert not run_page(training).error


def test_a_damaged_model_is_no_way_back(run_page: Run, home: Path) -> None:
    for number in (1, 2):
        add_model(home, make_gate_report(f"reranker-{number}"))
        Registry(home).promote(f"reranker-{number}", "ben", "", override=True)
    (Registry(home).folder("reranker-1") / "model.safetensors").write_bytes(b"damaged")
    page = run_page(training)
    assert "Roll back to reranker-1" not in labels(page)
    click(page, "Roll back to shipped")
    assert Registry(home).live() == "shipped"
    assert "shipped is live again" in texts(page)


def test_more_deletions_since_a_promotion_raise_a_flag(
    run_page: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = DeletionRate("shipped", 90, 400, 20, 18), DeletionRate("reranker-1", 60, 300, 60, 40)
    monkeypatch.setattr(
        "app.ui.training.models.deletion_rates_of", lambda _home: DeletionRates(PROMOTED, before, after, 0.001)
    )
    warning = run_page(training).warning[0].value
    assert "**People strike out more** since reranker-1 is live" in warning
    assert "20% struck out (60 answers), with shipped 5% (90 answers)" in warning


def test_a_model_is_removed_after_asking(run_page: Run, home: Path) -> None:
    for name in ("reranker-1", "reranker-2"):
        add_model(home, make_gate_report(name))
    page = click(run_page(training), "Remove reranker-1")
    assert [model.name for model in Registry(home).models()] == ["reranker-2"]
    assert "reranker-1 removed" in texts(page)


def test_the_comparison_of_another_model_can_be_opened(run_page: Run, home: Path) -> None:
    for name, gain in (("reranker-1", -0.2), ("reranker-2", 0.05)):
        add_model(home, make_gate_report(name, gain=gain))
    page = run_page(training)
    assert page.success
    click(page, "Show comparison of reranker-1")
    assert not page.success
    assert "Keep shipped" in texts(page)


def test_promoting_by_itself_is_off_until_switched_on(run_page: Run, home: Path) -> None:
    page = run_page(training)
    assert not page.toggle(key="promotes-by-itself").value
    page.toggle(key="promotes-by-itself").set_value(True).run()
    assert Registry(home).promotes_by_itself
    Registry(home).set_promotes_by_itself(False)
    assert not page.run().toggle(key="promotes-by-itself").value


def test_the_card_is_shown_without_what_could_call_out(run_page: Run, home: Path) -> None:
    add_model(home, make_gate_report("reranker-1"))
    page = run_page(training)
    card = (
        next(each for each in page.expander if each.label.startswith("Training data of reranker-1")).markdown[0].value
    )
    assert card.startswith("**Data**\n\n74 questions")
    assert "| struck out by 2 x | 31 |" in card
    assert "http" not in card


def test_a_model_without_a_card_has_none(tmp_path: Path) -> None:
    assert card_markdown(tmp_path) == ""


# words ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "reranker-2 ranks passages better than shipped: 79.0 of 100 points, shipped has 74.0"),
        ({"gain": 0.02, "p_value": 0.3}, "Too early to tell whether reranker-2 is better than shipped; it may be"),
        ({"num_questions": 7}, "Too early to tell whether reranker-2 is better than shipped: 7 of"),
        ({"num_questions": 1}, "Too early to tell whether reranker-2 is better than shipped: 1 of"),
        ({"gain": -0.03, "p_value": 0.2}, "Keep shipped; reranker-2 gains too little: 71.0 of 100 points"),
        ({"gain": -0.03}, "Keep shipped; see below what speaks against reranker-2. It has"),
        ({"forgotten": 0.02}, "Keep shipped; see below what speaks against reranker-2. It has"),
        ({"forgotten": 0.06, "num_questions": 6}, "Keep shipped; see below what speaks against reranker-2."),
    ],
)
def test_the_verdict_is_one_sentence(changed: dict[str, float], expected: str) -> None:
    assert headline(make_gate_report(**changed)).startswith(expected)  # type: ignore[arg-type]


def test_what_rounds_to_nothing_has_no_sign() -> None:
    assert [points(gain) for gain in (-0.0001, 0.0, 0.0123, -0.05)] == ["0.0", "0.0", "+1.2", "-5.0"]


def test_steps_say_what_is_done_and_what_is_at_work(settings: Settings) -> None:
    job = add_training(settings.home, current="comparing it with the live one")
    assert [step.rpartition(" ")[0].count("check_circle") for step in steps_of(job)] == [1, 1, 0]
    assert steps_of(add_training(settings.home, current="something *new*")) == [r"Something \*new\*"]
    assert steps_of(add_training(settings.home, message="waiting for another")) == ["Waiting for another"]
    assert steps_of(TrainingJobStore(settings.home).add(Plan(), "ann")) == ["Queued"]


def test_after_learning_there_is_no_time_left_to_tell(settings: Settings) -> None:
    job = add_training(
        settings.home, Loss(60, 120, 1.0), current="comparing it with the live one", step=60, num_steps=120
    )
    assert progress_words(job) == "Training ended at step 60 of 120. The comparison can take several minutes"


def test_how_a_training_ended(settings: Settings) -> None:
    job = add_training(settings.home, model="reranker-1", verdict="too little data", state="done")
    assert outcome_words(job) == "reranker-1: too little feedback to tell"
    assert outcome_words(add_training(settings.home, state="cancelled")) == "Cancelled"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (PROMOTED, "21 Nov 2026, 14:30 UTC · **reranker-1** replaced shipped · by ben"),
        (
            Promotion(2, PROMOTED.at, "ann", "shipped", "reranker-1", "rollback", "too *many*", ""),
            r"21 Nov 2026, 14:30 UTC · rolled back from reranker-1 to **shipped** · by you · too \*many\*",
        ),
        (
            Promotion(3, PROMOTED.at, "", "shipped", "reranker-1", "fallback", "no file", ""),
            "21 Nov 2026, 14:30 UTC · reranker-1 failed, **shipped** was used instead · no file",
        ),
    ],
)
def test_the_history_in_words(line: Promotion, expected: str) -> None:
    assert history_line(line, "ann") == expected


def test_without_answers_before_only_the_share_since_is_told() -> None:
    after, none = DeletionRate("reranker-1", 1, 5, 1, 1), DeletionRate("shipped", 0, 0, 0, 0)
    assert rate_words(DeletionRates(PROMOTED, none, after, 1.0)) == "20% struck out (1 answer)"


def test_the_pages_load_no_model_library() -> None:
    code = (
        "import sys, app.ui.server, app.ui.training.page, app.ui.feedback.page\n"
        "print([name for name in ('torch', 'transformers', 'sentence_transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# votes ----------------------------------------------------------------------------------------------------


def test_what_votes_were_worth_is_measured_on_request(run_page: Run) -> None:
    page = run_page(training)
    assert "Too early to tell" not in texts(page)
    page.button(key="replay").click().run()
    assert not page.exception
    assert "Too early to tell: 0 of 20 answers needed" in texts(page)
