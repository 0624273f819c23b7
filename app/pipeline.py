"""question -> Answer on one table: search, rerank, answer, each step timed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import Literal

from app.access.admission import usual_admission
from app.access.rights import Rights
from app.answer import EXTRACTIVE, Answer, cite
from app.answer.prompts import read_prompts
from app.feedback import FeedbackStore
from app.feedback.asker import Asker
from app.feedback.reading import ReadableAnswers
from app.feedback.recall import LiveMemory, Memory
from app.language_model.protocol import LanguageModel
from app.memory.votes import Statement
from app.models import Models
from app.registry import Registry
from app.reranking.live import NONE, LiveReranker, Reranked, left_out, used
from app.reranking.names import LIVE, name_in_answers
from app.reranking.newest import newest_first
from app.reranking.rerank import RankedChunk, RerankerError, rerank
from app.reranking.similarity import Similarity
from app.reranking.statements import is_overtaken, with_statement
from app.search.families import Families, FamilyFinder
from app.search.filters import EVERYTHING, Filter
from app.search.follow_up import is_small_talk, rewrite
from app.search.languages import foreign_question_note
from app.search.passages import find_passages
from app.search.query import as_query
from app.search.search import Candidate, search
from app.search.spelling import Spelling
from app.settings import Settings
from app.telemetry.stages import count, stage
from app.writing import Writing
from ingest import CiteloopError
from ingest.chunk import Chunk, PassageRef
from ingest.embed.embedder import Embedder
from ingest.table import ChunkTable

Step = Literal["wait", "search", "rerank"]


class Pipeline:
    """Answers questions about the documents of one home folder; safe to share between threads.

    embedder, language_model and sentence_scorer (also for quotes) replace the configured ones, for tests.
    """

    def __init__(
        self,
        settings: Settings,
        embedder: Embedder | None = None,
        language_model: LanguageModel | None = None,
        sentence_scorer: Similarity | None = None,
    ) -> None:
        self.settings = settings
        self.models = Models(settings, embedder, language_model, sentence_scorer)
        self._family_finder = FamilyFinder(settings.home)
        self._writing = Writing(self.models)
        self._live = LiveReranker(Registry(settings.home), self.models.reranker, settings.num_citations)
        self.admission = usual_admission()
        self._memory = LiveMemory(settings.home, settings.min_agreeing)
        self._spelling = Spelling()

    def ask(self, question: str, reranker: str | None = None, *, within: Filter = EVERYTHING) -> Answer:
        """Search, rerank and answer. Raises RerankerError, and CiteloopError on an unknown document."""
        *_, answer = self.write(self.rank(question, reranker, within=within))
        return answer

    def in_full(
        self, question: str, earlier: Sequence[str], stop: threading.Event | None = None, *, detect: bool = True
    ) -> str:
        """Return the query to search; a follow-up is expanded with earlier questions.

        earlier: queries of the conversation, oldest first. detect: False for a question known to be a follow-up.
        """
        if not earlier:
            return question
        try:
            language_model, told = self.models.language_model, read_prompts(self.settings.home).follow_up
        except CiteloopError:  # invalid settings; the answer's note reports them
            language_model, told = None, ""
        return rewrite(question, earlier, language_model, stop, told, detect=detect)

    def search(self, query: str, within: Filter = EVERYTHING) -> list[Candidate]:
        """Return the candidates for a query. Raises CiteloopError on an unknown document."""
        table, embedder = self.models.table_and_embedder()
        return search(
            query,
            table,
            embedder,
            num_candidates=self.settings.num_candidates,
            within=within.document_ids(table),
            superseded=self.families_for(within).superseded,
        )

    def rank(
        self,
        question: str,
        reranker: str | None = None,
        *,
        query: str = "",
        as_typed: bool = False,
        within: Filter = EVERYTHING,
        user: str = "",
        ignore_votes: bool = False,
        fall_back: bool = False,
        on_step: Callable[[Step], None] = lambda _: None,
    ) -> Answer:
        """Search and rerank; return an Answer with sources and no text. Thanks and greetings are not searched.

        reranker: a name; None means the one of the settings. query: what to search and answer, where the question
        means more than it says; as_typed: correct no typos; within: which documents to look at, of those that the asker
        may read; nothing else has an effect. user: who asks, whose own votes act at once; ignore_votes: rank as if
        nobody had said anything of the passages. fall_back: when the reranker fails, show the order of search with a
        note instead of raising RerankerError; `live` always falls back, to what was live before. on_step: called as a
        step begins and repeatedly while this waits for others; when it raises, that ends the work. Raises BusyError
        when too many wait already.
        """
        asked = unanswered(*map(_encodable, (question, query)), within=within, ignores_votes=ignore_votes)
        if is_small_talk(asked.searched):
            return asked
        with self.admission.slot(lambda: on_step("wait")):
            on_step("search")
            searched, candidates = self._searched(asked, as_typed=as_typed)
            on_step("rerank")
            name = self.settings.reranker if reranker is None else reranker
            return self._ranked(searched, candidates, name, user, fall_back=fall_back)

    def _searched(self, asked: Answer, *, as_typed: bool) -> tuple[Answer, list[Candidate]]:
        """Return the answer with the query as searched, its typos corrected unless as_typed, and its candidates."""
        timings: dict[str, float] = {}
        query = typed = as_query(asked.searched)
        with stage("search", timings) as current:
            if not as_typed:
                query = self._spelling.correct(typed, *self.models.table_and_embedder(), asked.within.all_readable)
            candidates = self.search(query, asked.within)
            current.fields["num_candidates"] = len(candidates)
            current.query, current.passages = query, ((each.chunk, each.fused_score) for each in candidates)
        searched, corrected_from = "" if query == asked.question else query, "" if query == typed else typed
        return replace(asked, query=searched, corrected_from=corrected_from, timings_ms=timings), candidates

    def _ranked(
        self, asked: Answer, candidates: Sequence[Candidate], name: str, user: str, *, fall_back: bool
    ) -> Answer:
        """Return the answer with the ranking of its candidates by a reranker and votes, and with its sources."""
        query, timings = asked.searched, dict(asked.timings_ms)
        with stage("rerank", timings) as current:
            reranked = self._reranked(query, candidates, name, fall_back=fall_back)
            ranking, statement = self._voted(asked, reranked.ranking, user)
            current.fields["reranker"] = current.model = reranked.reranker
            current.query, current.passages = query, ((each.chunk, each.score) for each in ranking)
        num_sources = len(statement.sources) if statement else 0
        notes = (
            _damage(self.table, asked.within),
            reranked.note,
            foreign_question_note(query, [each.chunk.text for each in ranking], self.models.embedder),
        )
        return replace(
            asked,
            citations=cite(ranking, max(self.settings.num_citations, num_sources)),
            ranking=tuple(ranking),
            reranker=reranked.reranker,
            reranker_version=self.models.version(reranked.reranker),
            embedder=self.models.embedder.name,
            timings_ms=timings,
            note=" ".join(filter(None, notes)),
            statement=statement,
        )

    def _reranked(self, question: str, candidates: Sequence[Candidate], name: str, *, fall_back: bool) -> Reranked:
        if name == LIVE:
            return self._live.rerank(question, candidates)
        try:
            ranking = rerank(question, candidates, self.models.reranker(name))
            shown = name_in_answers(name)
            return Reranked(used(shown, ranking), ranking, left_out(shown, ranking))
        except RerankerError as error:
            if not fall_back:
                raise
            note = f"Reranker {name_in_answers(name)} could not be used, so this is the order of search: {error}"
            return Reranked(NONE, rerank(question, candidates, None), note)

    def _voted(
        self, asked: Answer, ranking: Sequence[RankedChunk], user: str
    ) -> tuple[list[RankedChunk], Statement | None]:
        """Return the ranking as votes, newer versions and a curator's answer move it, and that answer."""
        query, within, statement = asked.searched, asked.within, None
        if not asked.ignores_votes:
            ranking, statement = Asker(self.table, within, user).voted(query, ranking, self.memory)
        return with_statement(newest_first(ranking, self.families_for(within), query, within), statement)

    def write(self, ranked: Answer, stop: threading.Event | None = None) -> Iterator[Answer]:
        """Yield the answer as its text grows; the last is complete, or cut off with a note that says why.

        stop: when set, the text ends, marked as stopped.
        """
        answer = ranked
        for answer in self._writing.write(replace(ranked, ranking_note=ranked.note), ranked.citations, stop):
            yield answer
        count("questions", found=answer.found, answered_by=answer.answered_by)

    def rewrite(
        self, answer: Answer, without: Collection[str], stop: threading.Event | None = None
    ) -> Iterator[Answer]:
        """Rewrite an answer from its citations whose chunk ids are not in `without`; yield it as it grows.

        Ranking, citations and numbers stay; the last answer is as in `write`. Without citations left, the text says
        that all are struck out.
        """
        remaining = [citation for citation in answer.citations if citation.chunk.id not in without]
        unwritten = replace(
            answer,
            text="",
            note=answer.ranking_note,  # a language model that failed then may not fail now
            without=tuple(citation.chunk.id for citation in answer.citations if citation.chunk.id in without),
        )
        return self._writing.write(unwritten, remaining, stop)

    @property
    def table(self) -> ChunkTable:
        """Return the table in use. Raises TableError if it is damaged or of another version."""
        return self.models.table

    @property
    def memory(self) -> Memory:
        """Return what people have said of passages until now."""
        return self._memory.current(self.models.embedder)

    def families_for(self, within: Filter = EVERYTHING) -> Families:
        """Return which documents replace which, of those that may be read."""
        return self._family_finder.families(self.table).among(within.all_readable.document_ids(self.table))

    def find_passages(self, passages: Collection[PassageRef]) -> dict[PassageRef, Chunk]:
        """Return passage -> chunk with the same text; those that are gone are left out."""
        return find_passages(passages, self.table)

    def readable_answers(self, store: FeedbackStore, rights: Rights) -> ReadableAnswers:
        """Return the answers of a store as somebody with these rights may read them."""
        return ReadableAnswers(store, EVERYTHING.read_by(rights), self.table, self.families_for)

    def is_overtaken(self, statement: Statement, within: Filter = EVERYTHING) -> bool:
        """Return whether documents that were added or changed since may answer what a curator called unanswered."""
        ranking = self.rank(statement.question, as_typed=True, within=within, ignore_votes=True, fall_back=True).ranking
        return is_overtaken(statement, ranking, self.table.document)


def unanswered(question: str, query: str = "", *, within: Filter = EVERYTHING, ignores_votes: bool = False) -> Answer:
    """Return the answer to a question before anything is searched for it."""
    return Answer(
        question,
        text="",
        answered_by=EXTRACTIVE,
        citations=(),
        ranking=(),
        reranker=NONE,
        query=query,
        within=within,
        ignores_votes=ignores_votes,
        found=False,
        complete=False,
    )


def _encodable(text: str) -> str:
    """Return a text of a terminal with a question mark for each byte that is no UTF-8."""
    return text.encode("utf-8", "replace").decode()


def _damage(table: ChunkTable, within: Filter) -> str:
    """Return a note on passages left out because they are damaged; it is kept, so names are only for who reads all."""
    if not table.damaged or within.readable is not None:
        return ""
    names = ", ".join(sorted(table.damaged))
    return f"A passage of {names} is damaged on the disk and was left out; the curator can run: citeloop doctor."
