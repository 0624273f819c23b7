"""What was measured -> a table in Markdown and a plot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import altair
import numpy as np

from tests.benchmarks.peers.measure import CROSS_ENCODER, DEPTHS, KNOWN, Found

TITLES = {"ours": "Citeloop", "plain": "plain calls", "lance": "LanceDB", "llama": "LlamaIndex"}
_OTHERS = [side for side in TITLES if side != "ours"]
_WORK = {
    "embed": ("ours", "plain"),
    "rerank 50": ("ours", CROSS_ENCODER, "plain"),
}
"""Measure -> sides whose operations a second are shown."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: values by side, and how many times as good ours is, the median over the rounds."""

    title: str
    values: Mapping[str, float]
    times: Mapping[str, float]


def as_markdown(found: Found) -> str:
    """Return the table, and the operations a second next to the peak."""
    lines = [f"| | {' | '.join(TITLES.values())} |", "|---" * (len(TITLES) + 1) + "|"]
    for row in rows(found):
        cells = (f"{_number(row.values[side])} ({_number(row.times[side], 2)})" for side in _OTHERS)
        lines.append(f"| {row.title} | {_number(row.values['ours'])} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *_work(found)])


def rows(found: Found) -> Iterator[Row]:
    """Yield the lines of the table."""
    yield from _ingest_rows(found)
    for depth in DEPTHS:
        seconds = found.seconds[f"rerank {depth}"]
        yield _milliseconds(f"rerank {depth} new passages", seconds)
        yield _milliseconds(f"rerank {depth} by the cross-encoder", seconds | {"ours": seconds[CROSS_ENCODER]})
        yield _milliseconds(f"rerank {depth} known passages", seconds | {"ours": seconds[KNOWN]})
    for size in _sizes(found):
        yield _milliseconds(f"search {size:,} chunks, p50", found.seconds[f"search {size}"])
        yield _milliseconds(f"search {size:,} chunks, p95", found.seconds[f"search {size}"], 95)
        asked = found.seconds[f"question {size}"]
        yield _milliseconds(f"question to sources, {size:,} chunks, new", asked)
        yield _milliseconds(f"question to sources, {size:,} chunks, known", asked | {"ours": asked[KNOWN]})
        yield _milliseconds(f"start to first sources, {size:,} chunks", found.seconds[f"start {size}"])
        yield _amounts(f"memory, {size:,} chunks, MB", found.megabytes[f"memory {size}"])
        disk = found.bytes[f"disk {size}"]
        yield _amounts(f"disk, {size:,} chunks, MB", {side: value / 1e6 for side, value in disk.items()})


def draw_plot(found: Found, target: Path) -> None:
    """Draw how many times as good ours is, on a logarithmic axis, as SVG."""
    points = [
        {"measure": row.title, "side": TITLES[side], "times": row.times[side]}
        for row in rows(found)
        for side in _OTHERS
    ]
    chart = altair.Chart(altair.InlineData(values=points)).mark_point(filled=True, size=60)
    times = altair.X("times:Q", scale=altair.Scale(type="log"), title="times as good as the other (right of 1: ahead)")
    measure = altair.Y("measure:N", sort=None, title=None, axis=altair.Axis(labelLimit=300))
    ahead = altair.Chart(altair.InlineData(values=[{"times": 1}])).mark_rule().encode(x="times:Q")
    both = altair.layer(chart.encode(x=times, y=measure, color=altair.Color("side:N", title=None)), ahead)
    both.properties(width=420).save(str(target))


def _ingest_rows(found: Found) -> Iterator[Row]:
    seconds, num_chunks = found.seconds["ingest"], found.chunks["ingest"]
    (preparing,) = found.seconds["token vectors"]["ours"]
    whole = seconds | {"ours": [ingest + preparing for ingest in seconds["ours"]]}
    yield _rates(f"ingest {num_chunks:,} chunks, a second", seconds, num_chunks)
    yield _rates("the same with our token vectors", whole, num_chunks)
    for size in _sizes(found):
        store = f"store {size}"
        yield _rates(f"store to {size:,} chunks, a second", found.seconds[store], found.chunks[store])


def _sizes(found: Found) -> list[int]:
    return [int(name.removeprefix("disk ")) for name in found.bytes]


def _milliseconds(title: str, seconds: Mapping[str, Sequence[float]], percentile: int = 50) -> Row:
    values = {side: 1000 * float(np.percentile(seconds[side], percentile)) for side in TITLES}
    if percentile == 50:
        return Row(f"{title}, ms", values, _times(seconds))
    return Row(f"{title}, ms", values, {side: values[side] / values["ours"] for side in _OTHERS})


def _rates(title: str, seconds: Mapping[str, Sequence[float]], num_chunks: int) -> Row:
    return Row(title, {side: num_chunks / median(seconds[side]) for side in TITLES}, _times(seconds))


def _amounts(title: str, values: Mapping[str, float]) -> Row:
    return Row(title, values, {side: values[side] / values["ours"] for side in _OTHERS})


def _times(seconds: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return the median over the rounds of their time divided by ours."""
    pairs = {side: zip(seconds[side], seconds["ours"], strict=True) for side in _OTHERS}
    return {side: median(theirs / ours for theirs, ours in found) for side, found in pairs.items()}


def _work(found: Found) -> Iterator[str]:
    peak = max(found.peaks)
    yield f"| peak {peak / 1e9:.0f} GFLOP/s | GFLOP/s | share |"
    yield "|---|---|---|"
    for measure, sides in _WORK.items():
        for side in sides:
            speed = found.operations[measure] / median(found.seconds[measure][side])
            yield f"| {measure}, {side} | {speed / 1e9:.0f} | {speed / peak:.0%} |"


def _number(value: float, num_decimals: int = 1) -> str:
    """Return a number with decimals only if it is small."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.{num_decimals}f}"
