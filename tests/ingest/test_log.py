from __future__ import annotations

import contextvars
import io
import json
import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from ingest import CiteloopError
from ingest.home.log import begin_request, fault, in_request, request_id, same_request, write_log


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """Reads what has come to standard error; logging is as before afterwards."""
    root = logging.root
    handlers, level = root.handlers[:], root.level
    yield lambda: capsys.readouterr().err
    root.handlers, root.level = handlers, level
    logging.captureWarnings(False)
    for name in ("app", "ingest", "a library"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def test_lines_of_json_have_the_request_and_what_was_logged(
    log: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CITELOOP_LOG_FORMAT", "json")
    write_log()
    with in_request("7f"):
        logging.getLogger("app.x").info("%d files\nread", 2, extra={"fields": {"ms": 1.5}})
    line = json.loads(log())
    assert line.pop("at").endswith("+00:00")
    expected = {"level": "info", "logger": "app.x", "request": "7f", "message": "2 files\nread", "ms": 1.5}
    assert line == expected


def test_lines_of_text(log: Callable[[], str]) -> None:
    write_log()
    logging.getLogger("app.x").info("read", extra={"fields": {"ms": 1.5}})
    assert log().endswith("INFO app.x [-] read ms=1.5\n")


def test_a_traceback_says_where_and_never_what_was_given(log: Callable[[], str]) -> None:
    write_log()
    try:
        try:
            raise ValueError("a question of somebody")
        except ValueError as error:
            raise CiteloopError("the disk is full") from error
    except CiteloopError:
        logging.getLogger("uvicorn.error").exception("failed")
    written = log()
    assert "of somebody" not in written.replace('raise ValueError("a question of somebody")', "")
    assert written.count("in test_a_traceback_says") == 2
    assert written.index("ValueError\n") < written.index("CiteloopError: the disk is full")


def test_libraries_lose_their_own_handlers_and_log_warnings_only(log: Callable[[], str]) -> None:
    library, own = logging.getLogger("a library"), io.StringIO()
    library.addHandler(logging.StreamHandler(own))
    library.setLevel(logging.INFO)
    library.propagate = False
    write_log()
    library.info("a request body")
    library.warning("no more memory")
    assert (own.getvalue(), log().count("\n")) == ("", 1)


def test_a_wrong_level_is_named(log: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITELOOP_LOG_LEVEL", "loud")
    with pytest.raises(CiteloopError, match="CITELOOP_LOG_LEVEL"):
        write_log()


def test_threads_belong_to_the_request_that_starts_them() -> None:
    seen = list[str]()

    def note() -> None:
        seen.append(request_id())

    def begin() -> None:
        request = begin_request()
        worker = threading.Thread(target=same_request(note))
        worker.start()
        worker.join()
        assert seen == [request]
        assert fault().endswith(f"for request {request}")

    contextvars.copy_context().run(begin)
    assert request_id() == ""
    assert fault() == "internal error; see the server log"
