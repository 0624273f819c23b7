"""Clicks over the socket that a browser uses: whatever is sent twice, or interrupted, each counts once."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from app.feedback import FeedbackStore, StoredAnswer, user_of_cookie
from app.pipeline import Pipeline
from app.settings import Settings
from app.ui.who import USER_COOKIE
from ingest.embed.embedder import load_embedder
from ingest.pipeline import ingest
from ingest.table import ChunkTable
from tests.ui.browser import serving

pytestmark = pytest.mark.slow

NUM_CLICKS = int(os.environ.get("CITELOOP_TEST_CLICKS", "60"))  # 1000 take a quarter of an hour
SEED = int(os.environ.get("CITELOOP_TEST_SEED", "20"))
COOKIE = "5eed" * 8
USER = user_of_cookie(COOKIE)


class Session:
    """One browser tab on a conversation, as the server sees it: what it sends, and the buttons it has been shown."""

    def __init__(self, socket: ClientConnection, conversation_id: str) -> None:
        self._socket = socket
        self._query = f"c={conversation_id}"
        self._buttons: dict[str, tuple[str, str]] = {}
        self.errors: list[str] = []

    def draw(self) -> None:
        """Ask for the whole page, as a reload does."""
        self._send(BackMsg())

    def press(self, label: str) -> None:
        """Click a button that has been shown; what it was shown in is drawn again."""
        widget_id, fragment_id = self._buttons[label]
        message = BackMsg()
        message.rerun_script.fragment_id = fragment_id
        message.rerun_script.widget_states.widgets.add(id=widget_id, trigger_value=True)
        self._send(message)

    def wait_for(self, label: str) -> None:
        """Read what comes until a button of this label does."""
        self._buttons.pop(label, None)
        deadline = time.monotonic() + 60
        while label not in self._buttons:
            self._read(self._socket.recv(timeout=deadline - time.monotonic()))

    def _send(self, message: BackMsg) -> None:
        message.rerun_script.query_string = self._query
        self._socket.send(message.SerializeToString())

    def _read(self, data: str | bytes) -> None:
        assert isinstance(data, bytes)
        message = ForwardMsg.FromString(data)
        element = message.delta.new_element
        if element.HasField("button"):
            self._buttons[element.button.label] = element.button.id, message.delta.fragment_id
        if element.HasField("exception"):
            self.errors.append(element.exception.message)


@pytest.fixture
def turn(home: Path, documents: Path) -> StoredAnswer:
    """An answer, in a conversation of the user behind the cookie."""
    embedder = load_embedder()
    list(ingest([documents], ChunkTable(home, embedder), embedder))
    store = FeedbackStore(home)
    store.save_answer(Pipeline(Settings(home=home)).ask("What may a hotel cost a night?"), "talk", USER)
    return store.conversation("talk", USER)[0]


@contextmanager
def visiting(address: str, conversation_id: str) -> Iterator[Session]:
    with _connected(address.replace("http", "ws", 1) + "/_stcore/stream") as socket:
        yield Session(socket, conversation_id)


def _connected(url: str) -> ClientConnection:
    cookie = {"Cookie": f"{USER_COOKIE}={COOKIE}"}
    deadline = time.monotonic() + 60
    while True:
        try:
            return connect(
                url, additional_headers=cookie, subprotocols=[Subprotocol("streamlit")], max_size=None, proxy=None
            )
        except ConnectionRefusedError:  # it has said where it will be, and is on its way there
            assert time.monotonic() < deadline
            time.sleep(0.1)


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.timeout(300 + 3 * NUM_CLICKS)
def test_every_click_counts_once(home: Path, turn: StoredAnswer) -> None:
    """Strike out and undo by turns; every click comes twice, and every fifth drawing is cut short by another.

    It is cut short once the click has been noted: one that still waits for the page to be drawn is lost when the
    whole page is asked for anew, which Streamlit then begins with nothing that waited.
    """
    chance = random.Random(SEED)
    store = FeedbackStore(home)
    chunk_ids = {citation.number: citation.chunk.id for citation in turn.answer.citations[:2]}
    numbers = list(chunk_ids)
    expected: list[tuple[str, int]] = []
    with serving(home) as address, visiting(address, turn.conversation_id) as session:
        session.draw()
        session.wait_for(f"Strike out [{numbers[-1]}]")
        is_struck = dict.fromkeys(numbers, False)
        for _ in range(NUM_CLICKS):
            number = chance.choice(numbers)
            words = ("Undo", "Strike out") if is_struck[number] else ("Strike out", "Undo")
            session.press(f"{words[0]} [{number}]")
            session.press(f"{words[0]} [{number}]")
            expected.append(("undone" if is_struck[number] else "deleted", number))
            is_struck[number] = not is_struck[number]
            if chance.random() < 0.2:
                wait_until(lambda: len(store.events()) == len(expected))
                time.sleep(chance.random() * 0.05)
                session.draw()
            session.wait_for(f"{words[1]} [{number}]")
        session.draw()
        struck = {chunk_ids[number] for number in numbers if is_struck[number]}
        wait_until(lambda: set(store.conversation("talk", USER)[0].answer.without) == struck)
    assert session.errors == []
    assert [(event.action, event.number) for event in store.events()] == expected
    assert {event.user for event in store.events()} == {USER}


def test_a_source_that_is_brought_back_is_ranked_again_at_once(home: Path, turn: StoredAnswer) -> None:
    """A click in the sources draws only its answer again, not the page."""
    store, question, chunk = FeedbackStore(home), turn.answer.question, turn.answer.citations[0].chunk
    store.record(turn, chunk.id, "deleted", USER)
    pipeline = Pipeline(Settings(home=home))
    *_, asked_again = pipeline.write(pipeline.rank(question, user=USER))
    store.save_answer(asked_again, "later", USER)

    def cited() -> list[str]:
        return [citation.chunk.id for citation in store.conversation("later", USER)[0].answer.citations]

    assert chunk.id not in cited()
    with serving(home) as address, visiting(address, "later") as session:
        session.draw()
        session.wait_for("Bring back")
        session.press("Bring back")
        wait_until(lambda: chunk.id in cited())
    assert session.errors == []
