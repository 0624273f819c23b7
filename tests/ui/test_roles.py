"""What the roles see and may do on the pages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.access.audit import AuditLog
from app.access.policy import AccessError
from app.access.rights import ROLES, Rights, Role
from app.feedback import FeedbackStore
from app.settings import Settings
from app.ui import markup, who
from tests.conftest import PATIENCE
from tests.ui.conftest import Run, Visit

PAGES: dict[str, Role] = {
    "ask": "reader",
    "source": "reader",
    "documents": "curator",
    "feedback": "curator",
    "training": "curator",
    "quality": "curator",
    "settings": "admin",
}
TITLES = {"ask": "Ask your documents"}
PEOPLE: dict[str, Role] = {"rea@example.org": "reader", "cur@example.org": "curator", "adm@example.org": "admin"}


@pytest.fixture(autouse=True)
def policy(settings: Settings) -> Path:
    settings.home.mkdir(exist_ok=True)
    path = settings.home / "access.toml"
    path.write_text('[roles]\nadmin = ["adm@example.org"]\ncurator = ["cur@example.org"]\nreader = ["@example.org"]')
    return path


def title(page: AppTest) -> str:
    assert not page.exception
    return str(page.title[0].value)


@pytest.mark.parametrize("email", PEOPLE)
@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_a_higher_role_does_not_exist(email: str, page: str, visit: Visit) -> None:
    may = ROLES.index(PEOPLE[email]) >= ROLES.index(PAGES[page])
    shown = visit(email, page)
    assert title(shown) == (TITLES.get(page, page.capitalize()) if may else "Page not found")
    assert [button.label for button in shown.sidebar.button if button.label == "Sign out"]
    assert any(markup.plain(f"{email} ({PEOPLE[email]})") in caption.value for caption in shown.sidebar.caption)


@pytest.mark.parametrize("page", ["", *PAGES])
def test_before_the_login_there_is_only_the_login(page: str, visit: Visit) -> None:
    shown = visit(None, page)
    assert title(shown) == "Citeloop"
    assert [button.label for button in shown.button] == ["Log in"]
    assert [len(shown.sidebar.children), len(shown.markdown), len(shown.text_input)] == [0, 0, 0]


def test_somebody_without_a_role_is_told(visit: Visit) -> None:
    shown = visit("eve@elsewhere.net", "documents")
    assert title(shown) == "Citeloop"
    told = "eve@elsewhere.net has no access. Ask an administrator to add you to access.toml"
    assert shown.error[0].value == markup.plain(told)
    assert [button.label for button in shown.button] == ["Sign out"]


def test_a_login_that_vanishes_from_the_settings_opens_nothing(visit: Visit) -> None:
    page = visit(None, "documents")
    page.user = {}
    assert title(page.run()) == "Citeloop"
    assert page.error[0].value.startswith("The proxy did not say who you are")


def test_without_a_login_everybody_is_admin(run_page: Run) -> None:
    page = AppTest.from_file(str(Path(who.__file__).with_name("main.py")), default_timeout=PATIENCE).run()
    assert title(page) == "Ask your documents"
    assert not [button for button in page.sidebar.button if button.label == "Sign out"]


def test_readers_find_no_way_to_pages_that_are_not_theirs(visit: Visit) -> None:
    labels = {email: [link.proto.label for link in visit(email, "source").get("page_link")] for email in PEOPLE}
    assert labels == {
        "rea@example.org": ["Ask a question"],
        "cur@example.org": ["All documents"],
        "adm@example.org": ["All documents"],
    }


def test_admins_see_that_the_file_is_broken(visit: Visit, policy: Path) -> None:
    visit("adm@example.org")
    policy.write_text("[roles")
    assert "access" in visit("adm@example.org").error[0].value
    assert not visit("cur@example.org").error


# Acts -------------------------------------------------------------------------------------------------


@pytest.fixture
def as_role(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[[Role], None]:
    monkeypatch.setenv("CITELOOP_HOME", str(settings.home))

    def become(role: Role) -> None:
        monkeypatch.setattr("app.ui.who.current_rights", lambda: Rights(f"{role}@example.org", role))

    return become


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("needed", ROLES)
def test_an_act_needs_its_role_and_is_in_the_log(
    role: Role, needed: Role, as_role: Callable[[Role], None], settings: Settings
) -> None:
    as_role(role)
    done: list[str] = []
    if ROLES.index(role) >= ROLES.index(needed):
        who.act_as(needed, "model promoted", lambda: done.append("done"), "reranker-1")
        (entry,) = AuditLog(settings.home).entries()
        assert (entry.user, entry.act, entry.subject) == (f"{role}@example.org", "model promoted", "reranker-1")
    else:
        with pytest.raises(AccessError, match=f"This needs the role {needed}, and yours is {role}"):
            who.act_as(needed, "model promoted", lambda: done.append("done"))
        assert AuditLog(settings.home).entries() == []
    assert bool(done) == bool(AuditLog(settings.home).entries())


def test_what_failed_is_not_in_the_log(as_role: Callable[[Role], None], settings: Settings) -> None:
    as_role("admin")
    with pytest.raises(ZeroDivisionError):
        who.act_as("admin", "divided", lambda: 1 / 0)
    assert AuditLog(settings.home).entries() == []


def test_a_page_left_open_can_do_nothing_after_the_role_is_gone(visit: Visit, policy: Path, settings: Settings) -> None:
    page = visit("cur@example.org", "training")
    policy.write_text(policy.read_text().replace("cur@", "somebody@"))
    page.toggle[0].set_value(True).run()  # its callback runs before the page
    assert {entry.user for entry in AuditLog(settings.home).entries()} <= {""}
    assert title(page) == "Page not found"
    assert FeedbackStore(settings.home).events() == []
