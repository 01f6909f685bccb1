"""docs/reproduction.md: published, NumPy and Keras side by side, written from the record and nothing else."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.reproduction import pictures
from benchmarks.reproduction.experiment import Row, Variant
from benchmarks.reproduction.record import Record
from benchmarks.reproduction.results import results_of
from benchmarks.reproduction.statistics import mean
from benchmarks.reproduction.summary import Line, RowSummary, summarise
from benchmarks.reproduction.wording import (
    NAMES,
    NO_ACCURACY,
    backends_word,
    chance,
    difference,
    figure_name,
    mean_and_deviation,
    printed,
)
from model_spec.whole_files import write_whole

INTRODUCTION = """\
Each experiment is an entry of `benchmarks/reproduction/rows.toml`, run from the data on both backends. The two are
paired by seed: the same first weights, batch order, dropout masks and drawn rows. Figures are mean ± standard deviation
over the seeds.

- A published figure lies *within*, *above* or *below* the 95 % interval of one more run of ours; a published range is
  held against the range of our last five measured epochs.
- NumPy − Keras is the mean difference of the pairs with its 95 % interval. The backends *agree* where every interval
  holds zero and every mean is below 0.3 points; a single pair has the second only. One interval of 20 misses zero by
  chance, so what is in doubt by ten seeds is asked again of ten fresh ones, 20 to 29, which alone decide (*fresh seeds*
  and their interval). Where it is in doubt again, the backends *DIFFER*. Where early stopping ended a pair at different
  epochs, the accuracies at the last epoch both have run are compared, too.
- Seconds are those of training alone, Keras' tracing included, with two threads and nothing else computing: of every
  seed, or of the first where the others ran side by side (a value without spread). Published seconds are another
  machine's.
- "inference" measures as one should; "as in training" leaves dropout on and takes the statistics of the measured batch,
  as courses do whose predict never switches.
- A row takes ten seeds where an accuracy of its first ones spreads over more than two points, or where by them the
  backends seem to differ."""


def write(path: Path, record_path: Path, rows: dict[str, Row], record: Record) -> None:
    """Write the page and its pictures, beside the record."""
    drawn: dict[str, list[str]] = {}
    directory = record_path.with_suffix("")
    for row in rows.values():
        for stem, figure in pictures.figures_of(row, record).items():
            file = pictures.write(directory, stem, figure)
            drawn.setdefault(row.name, []).append(Path(os.path.relpath(file, path.parent)).as_posix())
    path.parent.mkdir(parents=True, exist_ok=True)
    link = Path(os.path.relpath(record_path, path.parent)).as_posix()
    write_whole(path, text(rows, record, drawn, link))


def text(rows: dict[str, Row], record: Record, drawn: dict[str, list[str]], link: str) -> str:
    """The whole page as Markdown.

    Args:
        rows: all experiments.
        record: what is known of them.
        drawn: {row: addresses of its pictures}.
        link: address of the record.
    """
    summaries = {name: summarise(row, record) for name, row in rows.items()}
    lines = ["# The courses' results, published and reproduced", "", provenance(record), "", INTRODUCTION, ""]
    lines += [f"{chance(summaries.values())} All results: [{link}]({link}).", "", *_overview(rows, summaries)]
    for row in rows.values():
        lines += ["", *_section(row, rows, summaries, record, drawn.get(row.name, []))]
    return "\n".join(lines) + "\n"


def provenance(record: Record) -> str:
    """Command, dates, machines and versions found in the results."""
    # By date, so that the page is the same before and after the record is read again
    found = sorted((entry.result["environment"] for entry in record.entries.values()), key=lambda one: str(one["date"]))
    if not found:
        return "Nothing has been measured yet; `crosscheck reproduce all --record` does it."
    dates = [str(one["date"])[:10] for one in found]
    when = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
    machines = _different(f"{one['processor']}, {one['cores']} cores" for one in found)
    versions = _different(
        f"Python {one['python']}, NumPy {one['numpy']} ({', '.join(sorted(one['blas']))}), "
        + ", ".join(f"{name} {number}" for name, number in one["versions"].items() if number)
        for one in found
    )
    commits = _different(str(one["commit"] or "unknown")[:10] for one in found)
    return (
        f"Written by `crosscheck reproduce --record` from {len(found)} runs of {when}; {machines}; {versions}; "
        f"commits {commits}."
    )


def _different(values: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(values))


def _overview(rows: dict[str, Row], summaries: dict[str, RowSummary]) -> list[str]:
    """The published figures of every row, or its first test accuracy where nothing is published."""
    lines = [
        "| row | seeds | figure | published | NumPy | Keras | the published lies | the backends |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        summary = summaries[name]
        link = f"| [{row.title}](#{name}) | {summary.seeds or '-'} |"
        if not summary.lines:
            lines.append(f"{link} - | - | - | - | - | not run yet |")
        accuracies = [line for line in summary.lines if line.figure in ("test_accuracy", "validation_accuracy")]
        for line in [line for line in summary.lines if line.verdict] or accuracies[:1] or summary.lines[:1]:
            published = "-" if line.published is None else printed(line.published)
            ours = " | ".join(mean_and_deviation(line.values[backend]) for backend in ("numpy", "keras"))
            figure = f"{line.variant}: {figure_name(line)}"
            lines.append(f"{link} {figure} | {published} | {ours} | {line.verdict or '-'} | {backends_word(summary)} |")
    return lines


def _section(
    row: Row, rows: dict[str, Row], summaries: dict[str, RowSummary], record: Record, drawn: list[str]
) -> list[str]:
    summary = summaries[row.name]
    lines = [f'<a id="{row.name}"></a>', "", f"## {row.title}", "", row.claim, ""]
    lines += [f"- {variant.name}: {_said(variant, row)}" for variant in row.variants]
    for label, words in (("Slip", row.slip), ("Note", row.note), ("Why", row.why)):
        lines += ["", f"{label}: {words}"] if words else []
    if not summary.seeds:
        return [*lines, "", "Not run yet."]
    shown: list[tuple[str | None, RowSummary]] = [(None, summary)]
    if row.companion is not None:
        shown.append((rows[row.companion].title, summaries[row.companion]))
    lines += [
        "",
        "| variant | measured | figure | published | NumPy | Keras | NumPy − Keras (95 %) | the published lies |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for title, one in shown:
        lines += [_table_line(line, title) for line in one.lines]
    lines += _seconds(row, rows, shown)
    lines += ["", f"The backends {backends_word(summary)}."] if backends_word(summary) != NO_ACCURACY else []
    for figure, (low, high) in row.asked.items():
        met = summary.asked[figure]
        words = ", ".join(f"{name} {'reaches' if met[key] else 'MISSES'}" for key, name in NAMES)
        lines += ["", f"Asked of the mean {figure.replace('_', ' ')}: {low:g} to {high:g}; {words} it."]
    lines += _beside(row, rows, record, summaries) + _maps(row, record)
    return lines + [part for address in drawn for part in ("", f"![{row.title}]({address})")]


def _said(variant: Variant, row: Row) -> str:
    """Network, data and training of a variant in a line."""
    rows = f"first {row.data.train} training rows" if row.data.train else "all rows"
    data = f"{row.data.name}, {rows}"
    if row.data.split is not None:
        data += f", {row.data.split.share:g} of them held out (random_state {row.data.split.random_state})"
    if row.data.draw is not None:
        data = f"{row.data.name}, {row.data.draw.train} and {row.data.draw.validation} rows drawn with replacement"
    if not variant.trains:
        return f"{data}; nothing is trained"
    spec, training = variant.model_spec(), variant.training_spec(0)
    layers = " - ".join(f"`{layer.describe()}`" for layer in spec.layers)
    optimizer = variant.course_rule() or training.optimizer
    length = f"{training.epochs} epochs" if training.steps is None else f"{training.steps} steps"
    sampling = ", drawn with replacement" if training.sampling == "with_replacement" else ""
    how = f"`{_stated(optimizer)}`, batch {training.batch_size}{sampling}, {length}, {variant.dtype}"
    return f"{layers}, {spec.parameter_count:,} parameters; {data}; {how}"


def _stated(optimizer: Any) -> str:
    """An optimizer with its learning rate and what is not at its default."""
    shown = [
        f"{field.name}={getattr(optimizer, field.name)!r}"
        for field in dataclasses.fields(optimizer)
        if field.name == "learning_rate" or getattr(optimizer, field.name) != field.default
    ]
    return f"{type(optimizer).__name__}({', '.join(shown)})"


def _table_line(line: Line, title: str | None) -> str:
    name = line.variant if title is None else f"{title}: {line.variant}"
    reading = {"as_training": "as in training", "run": ""}.get(line.reading, line.reading)
    published = "-" if line.published is None else printed(line.published)
    ours = (mean_and_deviation(line.values[backend]) for backend in ("numpy", "keras"))
    cells = (name, reading, figure_name(line), published, *ours, difference(line), line.verdict or "-")
    return f"| {' | '.join(cells)} |"


def _seconds(row: Row, rows: dict[str, Row], shown: list[tuple[str | None, RowSummary]]) -> list[str]:
    body = []
    for title, summary in shown:
        for variant in (row if title is None else rows[summary.row]).variants:
            by_backend = summary.seconds.get(variant.name, {})
            if not any(by_backend.values()):
                continue
            name = variant.name if title is None else f"{title}: {variant.name}"
            published = variant.published.get("run", {}).get("seconds", "-")
            ours = " | ".join(mean_and_deviation(by_backend[backend]) for backend in ("numpy", "keras"))
            body.append(f"| {name} | {published} | {ours} |")
    if not body:
        return []
    return ["", "| seconds | published | NumPy | Keras |", "|---|---|---|---|", *body]


def _beside(row: Row, rows: dict[str, Row], record: Record, summaries: dict[str, RowSummary]) -> list[str]:
    """How much faster backpropagation is than the numerical gradient, and how far their curves are apart."""
    if row.companion is None or rows[row.companion].variants[0].way != "numerical":
        return []
    other = rows[row.companion]
    words = []
    for backend, name in NAMES:
        ours, theirs = (summaries[one.name].seconds.get(one.variants[0].name, {}).get(backend) for one in (row, other))
        curves = [
            {seed: result["curves"]["history"]["loss"] for seed, result in results[backend].items()}
            for results in (results_of(one, one.variants[0], record, range(one.seeds)) for one in (row, other))
        ]
        seeds = set(curves[0]) & set(curves[1])
        apart = [abs(a - b) for seed in seeds for a, b in zip(curves[0][seed], curves[1][seed], strict=True)]
        if ours and theirs and apart:
            words.append(
                f"{name}: the numerical gradient takes {mean(theirs) / mean(ours):.1f} times as long; the loss curves "
                f"are at most {max(apart):.2g} apart."
            )
    return ["", *words] if words else []


def _maps(row: Row, record: Record) -> list[str]:
    """How far the two backends' maps are apart, in the row that only filters."""
    words = []
    for variant in row.variants:
        if variant.way != "filters":
            continue
        results = results_of(row, variant, record, range(1))
        if results["numpy"]:
            ours, theirs = (results[backend][0]["looked"]["maps"] for backend in ("numpy", "keras"))
            largest = max(abs(a - b) for a, b in zip(_flat(ours), _flat(theirs), strict=True))
            words += ["", f"The maps of the two backends are at most {largest:.2g} apart."]
    return words


def _flat(maps: list[list[list[float]]]) -> list[float]:
    return [value for one in maps for line in one for value in line]
