"""Polish, Arabic, Japanese and Chinese: dates, exact terms, follow-ups, sentences, versions of documents."""

from __future__ import annotations

from datetime import date

import pytest

from app.answer.blocks import num_words, sentences, split_blocks
from app.answer.question import asked_value, figures_in, parts_of
from app.evaluation.benchmark import Evidence, resolve_evidence
from app.search.dates import asked_periods, periods_in
from app.search.follow_up import is_follow_up, is_small_talk
from app.search.fusion import exact_terms, holds_term
from ingest.chunk import Chunk
from tests.app.test_families import names, version


@pytest.mark.parametrize(
    "text",
    [
        "2025年4月1日から施行",
        "令和7年4月1日",
        "2025/4/1の会議",
        "od 1 kwietnia 2025 r.",
        "ابتداءً من 1 أبريل 2025",
        "١ أبريل ٢٠٢٥",  # noqa: RUF001
    ],
)
def test_a_day_is_read_as_people_write_it(text: str) -> None:
    assert periods_in(text) == [(date(2025, 4, 1), date(2025, 4, 1))]


def test_amounts_are_no_years() -> None:
    assert periods_in("2000円、2000 zł、2000 درهم") == []


@pytest.mark.parametrize(
    ("question", "first", "last"),
    [
        ("Co obowiązuje po 1 marca 2025 r.?", date(2025, 3, 2), date.max),
        ("ماذا تغير بعد 1 مارس 2025؟", date(2025, 3, 2), date.max),
        ("2025年3月以降の料金は?", date(2025, 3, 1), date.max),
        ("2025年3月までの料金は?", date.min, date(2025, 3, 31)),
        ("Ile płaciliśmy przed 2024 r. za nocleg?", date.min, date(2023, 12, 31)),
    ],
)
def test_words_before_and_behind_a_date_tell_the_time(question: str, first: date, last: date) -> None:
    assert asked_periods(question) == [(first, last)]


@pytest.mark.parametrize("question", ["品番ZX-15321のトルクは?", "ZX-15321是什么", "ما عزم والZX-15321؟"])
def test_a_part_number_stands_apart_from_the_script_around_it(question: str) -> None:
    assert exact_terms(question) == ["ZX-15321"]
    assert holds_term(question, "ZX-15321")
    assert not holds_term("品番ZX-15321Aです", "ZX-15321")


@pytest.mark.parametrize(
    "question",
    [
        "A dla kierowników?",
        "A do Krakowa?",
        "a co z weekendem?",
        "Dziękuję, a w Krakowie?",
        "ولرؤساء الأقسام؟",
        "وماذا عن المتعاقدين؟",
        "شكرًا، وفي العين؟",
        "京都は?",
        "では、パート社員は?",
        "それはいつまで?",
        "自動車の場合は?",
        "那上海呢？",  # noqa: RUF001
    ],
)
def test_follow_ups_are_known_by_their_openings(question: str) -> None:
    assert is_follow_up(question)


@pytest.mark.parametrize(
    "question",
    [
        "O której otwiera sekretariat?",
        "A manual for the pump",
        "I need a new badge for the lab",
        "متى تفتح السكرتارية؟",
        "ولاية دبي أين تقع؟",
        "総務課は何時に開きますか?",
        "有給は何日ありますか？",  # noqa: RUF001
        "年假有几天?",
    ],
)
def test_whole_questions_are_no_follow_ups(question: str) -> None:
    assert not is_follow_up(question)


@pytest.mark.parametrize("text", ["Dziękuję bardzo!", "شكرًا جزيلًا!", "ありがとうございました。", "谢谢！"])  # noqa: RUF001
def test_thanks_are_no_question(text: str) -> None:
    assert is_small_talk(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Zgodnie z ust. 2 pkt 3, tzn. od 1 marca 2025 r. Dotyczy to ul. Młyńskiej.",
            ["Zgodnie z ust. 2 pkt 3, tzn. od 1 marca 2025 r.", "Dotyczy to ul. Młyńskiej."],
        ),
        ("使えますか?はい。「禁止です。」と書く。", ["使えますか?", "はい。", "「禁止です。」と書く。"]),
        ("We work for 株式会社 Foo. It is in Osaka.", ["We work for 株式会社 Foo.", "It is in Osaka."]),
        ("ما المدة؟ ثلاثة أيام. د. أحمد يوقّع.", ["ما المدة؟", "ثلاثة أيام.", "د. أحمد يوقّع."]),
    ],
)
def test_sentences_end_where_they_do(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_words_are_counted_where_no_spaces_part_them() -> None:
    assert num_words("電車通勤の上限は月3万円です。") > 5
    assert num_words("two words") == 2


@pytest.mark.parametrize("mark", "・●◦")
def test_items_below_each_other_are_a_list(mark: str) -> None:
    (block,) = split_blocks(f"持ち込めないもの:\n\n{mark}灯油\n{mark}花火")
    assert (block.kind, block.intro, len(block.units)) == ("list", "持ち込めないもの:", 2)


def test_each_part_of_a_question_asks() -> None:
    assert parts_of("休暇は何日ですか?誰が承認しますか?") == ["休暇は何日ですか?", "誰が承認しますか?"]
    assert parts_of("كم يوم الإجازة وكيف أطلبها؟") == ["كم يوم الإجازة", "كيف أطلبها؟"]
    assert figures_in("٣٤٥ يومًا") == {"345"}


@pytest.mark.parametrize(
    ("question", "value", "other"),
    [
        ("Ile kosztuje przegląd?", "85,50 zł", "10 dni"),
        ("電車の手当はいくらですか?", "月3万円", "2週間"),
        ("كم يكلف تجديد المحرك؟", "1780 درهمًا", "عشرة أيام"),
    ],
)
def test_a_price_has_the_currency_of_its_language(question: str, value: str, other: str) -> None:
    asked = asked_value(question)
    assert asked
    assert asked.form.search(value)
    assert not asked.form.search(other)


def test_a_quote_may_begin_amid_a_script_without_spaces() -> None:
    text = "領収書と引き換えに一度だけ2万5千円を補助します。"
    chunk = Chunk("1", "d", "d", "d", (), text, None, 0, len(text))
    assert resolve_evidence(Evidence("d", "一度だけ2万5千円"), [chunk], text) == chunk


@pytest.mark.parametrize(
    ("newer", "older", "says"),
    [
        ("Regulamin premiowania 2025", "Regulamin premiowania 2023", "Zastępuje wersję z 2023 r."),
        ("通勤手当規程 2025年版", "通勤手当規程 2023年版", "2023年版は廃止する。"),
        ("差旅制度 2025年版", "差旅制度 2023年版", "代替2023年版。"),
        ("لائحة المكافآت 2025", "لائحة المكافآت 2023", "تحل هذه اللائحة محل لائحة المكافآت 2023."),
    ],
)
def test_a_policy_replaces_the_one_before(newer: str, older: str, says: str) -> None:
    assert names(version("rules-2023.md", older), version("rules-2025.md", newer)) == [
        ["rules-2025.md", "rules-2023.md"]
    ]  # by title and headings
    assert names(version("rules-2023.md", older, "", ("X",)), version("rules-2025.md", newer, says, ("Y",))) == [
        ["rules-2025.md", "rules-2023.md"]
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Protokół z narady, 12 marca 2025", "Protokół z narady, 9 kwietnia 2025"),
        ("議事録 2025年3月12日", "議事録 2025年4月9日"),
        ("محضر اجتماع 12 مارس 2025", "محضر اجتماع 9 أبريل 2025"),
    ],
)
def test_minutes_of_two_meetings_both_count(one: str, other: str) -> None:
    assert names(version("a.md", one), version("b.md", other)) == []
