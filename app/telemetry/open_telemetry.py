"""Stages -> OpenTelemetry's spans, with the names of OpenInference that Phoenix and Langfuse show, and metrics.

Off unless a variable names a receiver; then everything else is set by the standard OTEL_* variables, too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import islice
from typing import TYPE_CHECKING, get_args

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.telemetry.stages import Counted, Stage, StageName, observe_with
from ingest.extras import needs_extra
from ingest.home.environment import read_environment
from ingest.home.log import request_id

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter
    from opentelemetry.trace import Tracer

_KINDS: dict[StageName, str] = {"search": "RETRIEVER", "rerank": "RERANKER"}
_DOCUMENTS: dict[StageName, str] = {"search": "retrieval.documents", "rerank": "reranker.output_documents"}
_MODELS: dict[StageName, str] = {"rerank": "reranker.model_name", "answer": "llm.model_name"}
_MAX_DOCUMENTS = 20
"""A span holds 128 attributes, unless a variable allows more."""


class TelemetrySettings(BaseSettings):
    """Environment variables of telemetry that are read here; the library reads the others."""

    model_config = SettingsConfigDict(env_prefix="CITELOOP_", env_ignore_empty=True, extra="ignore")

    endpoint: str = Field(default="", validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT")
    traces_endpoint: str = Field(default="", validation_alias="OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    metrics_endpoint: str = Field(default="", validation_alias="OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")
    is_disabled: bool = Field(default=False, validation_alias="OTEL_SDK_DISABLED")
    otel_texts: bool = False
    """Whether spans carry questions, passages and answers."""


def start() -> None:
    """Send stages to the receivers that the environment names, if any. Raises CiteloopError."""
    settings = read_environment(TelemetrySettings)
    spans_to, metrics_to = (own or settings.endpoint for own in (settings.traces_endpoint, settings.metrics_endpoint))
    if settings.is_disabled or not (spans_to or metrics_to):
        return
    os.environ.setdefault("OTEL_SERVICE_NAME", "citeloop")
    with needs_extra("otel", "sending telemetry to OTEL_EXPORTER_OTLP_*"):
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    tracers = TracerProvider()  # not the global ones: other libraries could send questions through those
    if spans_to:
        tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    meters = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())] if metrics_to else [])
    observe_with(OpenTelemetry(tracers.get_tracer("citeloop"), meters.get_meter("citeloop"), settings.otel_texts))


class OpenTelemetry:
    """An Observer. with_texts: spans carry questions, passages and answers, not only their ids and scores."""

    def __init__(self, tracer: Tracer, meter: Meter, with_texts: bool) -> None:
        self._tracer, self._with_texts = tracer, with_texts
        self._seconds = meter.create_histogram("citeloop.stage.duration", "s", "Time that a stage of a question takes")
        self._queue = meter.create_up_down_counter("citeloop.queue", "{question}", "Questions that wait for a search")
        self._counters = {each: meter.create_counter(f"citeloop.{each}") for each in get_args(Counted)}

    @contextmanager
    def span(self, stage: Stage) -> Iterator[None]:
        """Trace the block; its request or question is the parent of the stages in it."""
        from opentelemetry.trace import StatusCode, use_span

        span = self._tracer.start_span(stage.name)
        is_parent = stage.name in ("request", "question")
        try:
            with use_span(span, record_exception=False, set_status_on_exception=False) if is_parent else nullcontext():
                yield
        except Exception as error:
            span.set_status(StatusCode.ERROR, type(error).__name__)  # its words may quote a question
            raise
        finally:
            span.set_attributes(dict(self._attributes(stage)))
            span.end()
            self._seconds.record(stage.seconds, {"stage": stage.name})

    def count(self, what: Counted, fields: dict[str, str | bool]) -> None:
        """Add one."""
        self._counters[what].add(1, fields)

    def queue(self, change: int) -> None:
        """Change the number of waiting questions."""
        self._queue.add(change)

    def _attributes(self, stage: Stage) -> Iterator[tuple[str, str | float]]:
        writes = stage.name == "answer" and stage.model
        yield "openinference.span.kind", "LLM" if writes else _KINDS.get(stage.name, "CHAIN")
        yield "citeloop.request", request_id()
        for name, value in stage.fields.items():
            yield f"citeloop.{name}", value if isinstance(value, bool | int | float) else str(value)
        if stage.model:
            yield _MODELS[stage.name], stage.model
        for position, (chunk, score) in enumerate(islice(stage.passages, _MAX_DOCUMENTS)):
            prefix = f"{_DOCUMENTS[stage.name]}.{position}.document"
            yield f"{prefix}.id", chunk.id
            yield f"{prefix}.score", float(score)
            if self._with_texts:
                yield f"{prefix}.content", chunk.passage
        if self._with_texts:
            yield from self._texts(stage)

    def _texts(self, stage: Stage) -> Iterator[tuple[str, str]]:
        if stage.query:
            yield "reranker.query" if stage.name == "rerank" else "input.value", stage.query
        if stage.output:
            yield "output.value", stage.output
