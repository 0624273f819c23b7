"""Two people: every id of one of them, in every address where the other can write it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from app.answer import Citation
from app.feedback import FeedbackStore
from app.pipeline import Pipeline
from app.settings import Settings
from tests.ui.conftest import Visit

UNKNOWN = "0" * 32
SECRET = "Zanzibar"


@pytest.fixture(autouse=True)
def policy(settings: Settings) -> None:
    settings.home.mkdir(exist_ok=True)
    (settings.home / "access.toml").write_text('[roles]\nadmin = ["adm@example.org"]\nreader = ["@example.org"]')


@pytest.fixture
def store(settings: Settings) -> FeedbackStore:
    return FeedbackStore(settings.home)


@pytest.fixture
def ids(store: FeedbackStore, pipeline: Pipeline) -> dict[str, str]:
    """What ann has: a conversation, its answer, and a passage that is in the answer only, since it was removed."""
    answer = pipeline.ask("How many days of leave?")
    chunk = replace(answer.ranking[0].chunk, id="gone-chunk", text=f"{SECRET} is closed.", title=SECRET)
    first = replace(answer.ranking[0], candidate=replace(answer.ranking[0].candidate, chunk=chunk))
    cited = (Citation(1, chunk),)
    told = replace(answer, question=f"Is {SECRET} open?", text=f"{SECRET} [1]", ranking=(first,), citations=cited)
    answer_id = store.save_answer(told, "talk", "ann@example.org")
    store.rename_conversation("talk", "ann@example.org", f"About {SECRET}")
    return {"c": "talk", "a": answer_id, "chunk": "gone-chunk", "document": "gone-chunk", "share": "talk"}


def texts(page: AppTest) -> list[str]:
    """All that is written on a page, without ids."""
    assert not page.exception
    found = [*page.markdown, *page.caption, *page.title, *page.info, *page.warning, *page.error, *page.header]
    return [*(str(each.value) for each in found), *(button.label for button in page.button)]


@pytest.mark.parametrize("page", ["ask", "source"])
@pytest.mark.parametrize(
    "names", [["c"], ["a"], ["c", "a"], ["chunk", "a"], ["document", "a"], ["chunk", "a", "share"]]
)
def test_an_id_of_somebody_else_looks_like_one_that_does_not_exist(
    page: str, names: list[str], ids: dict[str, str], visit: Visit, store: FeedbackStore
) -> None:
    theirs = texts(visit("bob@example.org", page, **{name: ids[name] for name in names}))
    nobodys = texts(visit("bob@example.org", page, **dict.fromkeys(names, UNKNOWN)))
    assert theirs == nobodys
    assert SECRET not in " ".join(theirs)
    assert store.events() == []


def test_the_same_addresses_open_it_for_its_owner(ids: dict[str, str], visit: Visit) -> None:
    assert f"Is {SECRET} open?" in texts(visit("ann@example.org", "ask", c=ids["c"]))
    assert f"{SECRET} is closed." in texts(visit("ann@example.org", "source", chunk=ids["chunk"], a=ids["a"]))


def test_a_shared_conversation_opens_for_people_with_a_role_only(
    ids: dict[str, str], visit: Visit, store: FeedbackStore
) -> None:
    token = store.share(ids["c"], "ann@example.org")
    assert f"Is {SECRET} open?" in texts(visit("bob@example.org", "ask", share=token))
    for stranger in (None, "eve@elsewhere.net"):
        for page in ("ask", "source"):
            said = " ".join(texts(visit(stranger, page, share=token, a=ids["a"], chunk=ids["chunk"])))
            assert SECRET not in said
    assert "Strike out" not in " ".join(texts(visit("bob@example.org", "ask", share=token)))
    store.stop_sharing(ids["c"], "ann@example.org")
    assert SECRET not in " ".join(texts(visit("bob@example.org", "ask", share=token)))


def test_names_in_other_cases_are_one_person_and_other_domains_are_not(
    ids: dict[str, str], visit: Visit, store: FeedbackStore
) -> None:
    assert f"Is {SECRET} open?" in texts(visit("Ann@Example.ORG", "ask", c=ids["c"]))
    store.save_answer(store.conversation("talk", "ann@example.org")[0].answer, "old", "Ben@example.org")
    assert f"Is {SECRET} open?" in texts(visit("Ben@example.org", "ask", c="old"))  # as earlier versions kept it
    assert store.conversation("old", "ben@example.org")
