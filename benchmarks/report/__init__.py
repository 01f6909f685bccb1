"""One self-contained HTML page from one result; nothing in it needs the network."""

from __future__ import annotations

from typing import Any

from benchmarks import plots


def render(entry: dict[str, Any]) -> str:
    """Return the page for what ``Comparison.to_dict`` gave.

    Raises:
        ImportError: jinja2 or matplotlib is missing; the message has the pip line.
    """
    try:
        import jinja2
    except ImportError:
        raise ImportError('the HTML report needs jinja2: pip install "crosscheck[report]"') from None
    curves = ""
    if entry["accuracy"]:
        histories = [(backend["name"], backend["history"]["history"]) for backend in entry["accuracy"]["backends"]]
        curves = plots.learning_curves(histories)
    drift = plots.drift_curves(entry["drift"]) if entry.get("drift") else ""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("benchmarks", "report"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    page = environment.get_template("page.html")
    return page.render(entry=entry, curves=curves, drift=drift, groups=_groups(entry["parity"]))


def _groups(parity: dict[str, Any]) -> list[dict[str, Any]]:
    """The worst figures of each precision, mode and stage."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in parity["rows"]:
        groups.setdefault((row["dtype"], row["path"], row["mode"], row["stage"]), []).append(row)
    return [
        {
            "name": " ".join(key),
            "tensors": len(rows),
            "scale": max(float(row["error_over_scale"]) for row in rows),
            "bound": max(float(row["error_over_bound"]) for row in rows),
            "failing": sum(row["verdict"] not in ("EXACT", "ROUNDING", "TIE") for row in rows),
        }
        for key, rows in groups.items()
    ]
