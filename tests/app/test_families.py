from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.pipeline import Pipeline
from app.reranking.newest import newest_first
from app.search.corrections import CorrectionStore
from app.search.families import Families, FamilyFinder, find_families
from app.search.filters import Filter
from app.search.versions import Version
from app.settings import Settings
from ingest.listing import Outline, StoredDocument
from ingest.pipeline import ingest
from ingest.table import ChunkTable
from tests.conftest import PATIENCE, FakeEmbedder

RULES = ("Purpose", "Booking", "Hotels", "Meals")


def version(name: str, title: str, opening: str = "", headings: tuple[str, ...] = RULES) -> Version:
    document = StoredDocument(name, name, title, f"/{name}", "", None, 1, datetime.now(UTC))
    return Version(Outline(document, frozenset(headings), opening))


def names(*versions: Version) -> list[list[str]]:
    return [[each.name for each in family] for family in find_families(versions).all()]


# What replaces what ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        (
            version(
                "isp4.pdf", "Security Policy", "Version 4.0, valid from 1 March 2026, supersedes version 3.", ("A",)
            ),
            version("isp3.docx", "Security Policy", "Version 3, valid from 1 September 2022.", ("B",)),
        ),
        (version("p/price-2026.xlsx", "Price list 2026"), version("p/price-2025.xlsx", "Price list 2025")),
        (version("new/terms.md", "Terms of use, v3"), version("archive/terms-old.md", "Terms of use, v2")),
        (
            version(
                "reise-2024.pdf", "Reisekostenrichtlinie", "Gültig ab 1. März 2024. Ersetzt die Fassung vom 1.3.2022."
            ),
            version("reise-2022.pdf", "Reisekostenrichtlinie", "Gültig ab 1.3.2022.", ("Zweck",)),
        ),
        (
            version("remote.md", "Remote work", 'Replaces the pages "Home office" and "Dial-in" (2023).', ()),
            version("home.md", "Home office", "", ()),
        ),
        (
            version("voyages2.md", "Politique de voyage", "Version 2. Remplace la version 1."),
            version("voyages1.md", "Politique de voyage", "Version 1.", ()),
        ),
        (
            version("new.md", "Fire drill", "| Version | 2 |\n| Supersedes | version 1 of 2020 |", ("X",)),
            version("old.md", "Fire drill", "Version 1. Superseded on 3 May 2024 by version 2.", ("Y",)),
        ),
        (
            version("new/garden.md", "Garden rules", "Valid from 2 May 2025. Replaces all earlier versions.", ("X",)),
            version("old/garden.md", "Garden rules", "Valid from 2 May 2024.", ("Y",)),
        ),
        (version("ir_v2.md", "Incident response policy v2"), version("ir_v1.md", "Incident response policy v1")),
    ],
    ids=lambda each: each.name,
)
def test_a_document_that_replaces_another_is_the_newest(newer: Version, older: Version) -> None:
    assert names(older, newer) == [[newer.name, older.name]]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (version("2024.pdf", "Annual report 2024"), version("2025.pdf", "Annual report 2025")),
        (version("old.md", "Minutes May 2026"), version("new.md", "Minutes June 2026")),
        (version("old.md", "Release notes 4.2"), version("new.md", "Release notes 4.3", "Replaces version 4.2.")),
        (version("old.md", "Report on the rules 2024"), version("new.md", "Report on the rules 2025")),
        (version("old.md", "PL-200 manual, version 1"), version("new.md", "PL-300 manual, version 2")),
        (version("pl-200.md", "Manual, version 1"), version("pl-300.md", "Manual, version 2")),
        (version("old.md", "Manual v1", "For the PL-200."), version("new.md", "Manual v2", "For the PL-300.")),
        (version("uk/leave.md", "Leave policy 2025"), version("de/leave.md", "Leave policy 2026")),
        (
            version("new.md", "Leave policy Germany", "Version 5, replaces version 4."),
            version("old.md", "Leave policy United Kingdom", "Version 4."),
        ),
        (version("old.md", "Travel policy"), version("new.md", "Travel policy")),
        (
            version("old.md", "Travel policy v2", "Valid from May 2024."),
            version("new.md", "Travel policy v3", "Valid from May 2023."),
        ),
        (
            version("old.md", "Travel guide 2024", headings=("A", "B", "C")),
            version("new.md", "Travel guide 2025", headings=("C", "D", "E", "F")),
        ),
        (
            version("new.md", "Feed client", "It replaces the http client.", ()),
            version("old.md", "Http client", "", ()),
        ),
    ],
    ids=lambda each: each.title,
)
def test_siblings_and_unsure_ones_are_no_family(one: Version, other: Version) -> None:
    assert names(one, other) == []


def test_a_family_has_as_many_versions_as_there_are() -> None:
    lists = [version(f"{year}.md", f"Price list {year}") for year in (2024, 2026, 2025)]
    copy = version("2026-copy.pdf", "Price list 2026")
    families = find_families([*lists, copy])
    assert [[each.label for each in family] for family in families.all()] == [["2026", "2026", "2025", "2024"]]
    assert families.superseded == {"2024.md", "2025.md"}
    assert families.newest("2026.md") is None


def test_a_form_that_many_use_is_no_family() -> None:
    assert names(*(version(f"{n}.md", f"Terms v{n}") for n in range(1, 60))) == []


# Which one is asked for ------------------------------------------------------------------------------


@pytest.fixture
def policies() -> Families:
    return find_families(
        [
            version("travel24.md", "Travel policy 2024", "Version 1, valid from 1 January 2024."),
            version("travel26.md", "Travel policy 2026", "Version 2, valid from 1 January 2026."),
        ]
    )


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("What may a hotel cost?", False),
        ("What may a hotel cost in 2026?", False),
        ("What may a hotel cost in 2024?", True),
        ("What did a hotel cost in 2025, by the rules of then?", True),
        ("Compare hotels in 2024 and 2026", True),
        ("What may a hotel cost by version 1?", True),
        ("What may a hotel cost by version 2?", False),
        ("What was allowed by the old travel rules?", True),
        ("What has changed for hotels?", True),
        ("Was kostete es nach der alten Richtlinie?", True),
        ("My old laptop is broken", False),
    ],
)
def test_an_older_version_is_asked_for_by_year_or_version(policies: Families, question: str, asked: bool) -> None:
    assert policies.is_asked_for("travel24.md", question) is asked


# Corrections -----------------------------------------------------------------------------------------


@pytest.fixture
def lists() -> list[Version]:
    return [version(f"{year}.md", f"Price list {year}") for year in (2024, 2025, 2026)]


def test_a_curator_says_what_is_no_version(home: Path, lists: list[Version]) -> None:
    store = CorrectionStore(home)
    assert store.all() == []
    store.separate("2024.md", ["2025.md", "2026.md"], "ann")
    families = find_families(lists, store.all())
    assert [[each.name for each in family] for family in families.all()] == [["2026.md", "2025.md"]]
    store.forget("2024.md", store.others("2024.md"))
    assert len(find_families(lists, store.all()).superseded) == 2


def test_a_curator_says_what_is_newest(home: Path, lists: list[Version]) -> None:
    store = CorrectionStore(home)
    other = version("tariff.md", "Tariff")
    store.separate("2026.md", ["2025.md"], "ann")
    store.replaced_by("2026.md", "2025.md", "ann")  # the last word on two documents holds
    store.replaced_by("2025.md", "tariff.md", "ann")
    store.replaced_by("2025.md", "gone.md", "ann")
    families = find_families([*lists, other], store.all())
    assert [[each.name for each in family] for family in families.all()] == [
        ["tariff.md", "2025.md", "2026.md", "2024.md"]
    ]


def test_corrections_make_no_circle(home: Path, lists: list[Version]) -> None:
    store = CorrectionStore(home)
    store.replaced_by("2026.md", "2024.md", "ann")
    families = find_families(lists, store.all())
    assert "2024.md" in families.newer["2026.md"]
    assert all(id not in newer for id, newer in families.newer.items())


# Answers ---------------------------------------------------------------------------------------------

OLD = """# Travel policy 2024

Valid from 1 January 2024.

## Hotels

A hotel in Bremen may cost 120 euros a night.

## Pets

A dog may come along in the sleeper.
"""
NEW = """# Travel policy 2026

Valid from 1 January 2026, replaces the version of 2024.

## Hotels

A hotel in Bremen may cost 150 euros a night.
"""


@pytest.fixture
def asked(home: Path, tmp_path: Path, embedder: FakeEmbedder, settings: Settings) -> Pipeline:
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "travel-2024.md").write_text(OLD)
    (folder / "travel-2026.md").write_text(NEW)
    (folder / "canteen.md").write_text("# Canteen\n\nSoup costs 3 euros. The canteen is beside the hotel.\n")
    table = ChunkTable(home, embedder)
    list(ingest([folder], table, embedder))
    return Pipeline(settings, embedder)


def cited(pipeline: Pipeline, question: str, within: Filter | None = None) -> dict[str, str]:
    """Text of what is cited before the canteen, with what supersedes it."""
    ranking = pipeline.rank(question, within=within or Filter()).ranking
    texts = [ranked.chunk.text for ranked in ranking]
    end = next((n for n, text in enumerate(texts) if "Soup" in text), len(texts))
    return {ranked.chunk.text: ranked.candidate.superseded_by for ranked in ranking[:end]}


OLD_HOTEL, NEW_HOTEL = "A hotel in Bremen may cost 120 euros a night.", "A hotel in Bremen may cost 150 euros a night."


def test_the_newest_leads_and_nothing_is_lost(asked: Pipeline) -> None:
    answer = asked.rank("What may a hotel in Bremen cost a night?")
    texts = [ranked.chunk.text for ranked in answer.ranking]
    assert texts[0] == NEW_HOTEL
    assert texts.index(OLD_HOTEL) > texts.index(next(text for text in texts if "Soup" in text))
    assert [ranked.rank for ranked in answer.ranking] == list(range(1, len(texts) + 1))
    row = answer.ranking[texts.index(OLD_HOTEL)].as_row()
    assert row["superseded_by"] == "Travel policy 2026"
    assert int(str(row["rank_change"])) < 0


def test_the_older_is_cited_where_it_is_asked_for(asked: Pipeline) -> None:
    question = "What may a hotel in Bremen cost a night?"
    assert OLD_HOTEL not in cited(asked, question)
    assert cited(asked, f"{question[:-1]} by the policies of 2024 and 2026?").keys() >= {OLD_HOTEL, NEW_HOTEL}
    only_old = Filter(documents=("travel-2024.md",))
    assert cited(asked, question, only_old)[OLD_HOTEL] == "Travel policy 2026"
    both = Filter(documents=("travel-2024.md", "travel-2026.md", "canteen.md"))
    assert OLD_HOTEL in cited(asked, question, both)


def test_what_only_the_older_version_says_is_quoted_with_its_mark(asked: Pipeline) -> None:
    question = "May a dog come along in the sleeper?"
    assert "A dog may come along in the sleeper." in cited(asked, question)
    from tests.app.builders import WordScorer

    pipeline = Pipeline(asked.settings, asked.models.embedder, sentence_scorer=WordScorer())
    text = pipeline.ask(question).text
    assert "Travel policy 2024, superseded by Travel policy 2026 [1]" in text


@pytest.mark.parametrize(("score", "first"), [(0.6, "Travel policy 2026"), (0.1, "Travel policy 2024")])
def test_a_newer_version_that_probably_answers_leads(asked: Pipeline, score: float, first: str) -> None:
    ranked = {each.chunk.text: each for each in asked.rank("May a dog come along in the sleeper?").ranking}
    ranking = [
        replace(ranked[text], rank=rank, score=number, is_probability=True)
        for rank, (text, number) in enumerate(
            {"A dog may come along in the sleeper.": 0.9, NEW_HOTEL: score}.items(), 1
        )
    ]
    families = FamilyFinder(asked.settings.home).families(asked.table)
    best, _ = newest_first(ranking, families, "May a dog come along?", Filter())
    assert (best.chunk.title, best.rank) == (first, 1)


def test_a_correction_and_a_new_document_hold_from_the_next_question(
    asked: Pipeline, tmp_path: Path, embedder: FakeEmbedder
) -> None:
    finder = FamilyFinder(asked.settings.home)
    before = finder.families(asked.table)
    assert finder.families(asked.table) is before
    (old,) = before.superseded
    CorrectionStore(asked.settings.home).separate(old, before.newer[old], "ann")
    assert not finder.families(asked.table).superseded
    assert OLD_HOTEL in cited(asked, "What may a hotel in Bremen cost a night?")
    corrections = CorrectionStore(asked.settings.home)
    corrections.forget(old, corrections.others(old))
    (tmp_path / "policies" / "travel-2027.md").write_text(NEW.replace("2026", "2027").replace("2024", "2026"))
    list(ingest([tmp_path / "policies"], asked.table, embedder))
    newest = finder.families(asked.table).newest(old)
    assert newest is not None
    assert newest.title == "Travel policy 2027"


def test_questions_do_not_wait_for_the_families_of_many_documents(
    asked: Pipeline, tmp_path: Path, embedder: FakeEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    finder = FamilyFinder(asked.settings.home)
    before = finder.families(asked.table)
    monkeypatch.setattr("app.search.families._MANY_DOCUMENTS", 0)
    (tmp_path / "policies" / "travel-2027.md").write_text(NEW.replace("2026", "2027").replace("2024", "2026"))
    list(ingest([tmp_path / "policies"], asked.table, embedder))
    read: list[str] = []
    outlines = ChunkTable.outlines

    def spy(table: ChunkTable, documents: Sequence[StoredDocument]) -> list[Outline]:
        read.extend(document.name for document in documents)
        return outlines(table, documents)

    monkeypatch.setattr(ChunkTable, "outlines", spy)
    with finder._finding:
        assert finder.families(asked.table) is before
    finder.families(asked.table)
    finder._thread.submit(lambda: None).result(PATIENCE)
    assert len(finder.families(asked.table).superseded) == len(before.superseded) + 1
    assert read == ["travel-2027.md"]


def test_a_text_in_both_versions_is_cited_from_the_newest(
    asked: Pipeline, tmp_path: Path, embedder: FakeEmbedder
) -> None:
    same = "\n## Trains\n\nTrains come first for short trips.\n"
    (tmp_path / "policies" / "travel-2024.md").write_text(OLD + same)
    (tmp_path / "policies" / "travel-2026.md").write_text(NEW + same)
    list(ingest([tmp_path / "policies"], asked.table, embedder))
    for question in ("Trains first for short trips 2024?", "Which comes first for short trips?"):
        found = next(r.candidate for r in asked.rank(question).ranking if "Trains" in r.chunk.text)
        assert (found.chunk.document, found.also_in) == ("travel-2026.md", ("travel-2024.md",))
