"""What MkDocs does not do by itself: pages for notebooks, public names and reproduced rows, and formulas as MathML.

MathML is drawn by browsers without a script, so a page asks nobody for anything.
"""

from __future__ import annotations

import html
import re
import sys
from pathlib import Path
from typing import Any

import nbformat
from latex2mathml.converter import convert
from mkdocs.structure.files import File

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT))

import crosscheck  # noqa: E402 - found by the line above
from model_spec import layers, losses, optimizers  # noqa: E402

_OF_FORMULAS = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)


def on_files(files: Any, config: Any) -> Any:
    """Add a page for each notebook, each group of public names, and each row of the reproduction."""
    for file in [file for file in files if file.src_uri.endswith(".ipynb")]:
        files.remove(file)
        page = notebook_page(Path(file.abs_src_path))
        files.append(File.generated(config, file.src_uri.removesuffix("ipynb") + "md", content=page))
    whole = files.get_file_from_path("reproduction.md")
    overview, rows = reproduction_pages(whole.content_string)
    files.remove(whole)
    files.append(File.generated(config, "reproduction.md", content=overview))
    for name, page in rows.items():
        files.append(File.generated(config, f"reproduction/{name}.md", content=page))
    for name, page in api_pages().items():
        files.append(File.generated(config, f"api/{name}.md", content=page))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Links to notebooks lead to their pages."""
    return re.sub(r"\((\S*notebooks/\S+?)\.ipynb\)", r"(\1.md)", markdown)


def on_page_content(content: str, page: Any, config: Any, files: Any) -> str:
    """Formulas written in TeX become MathML."""

    def as_mathml(found: re.Match[str]) -> str:
        return convert(html.unescape(found[2]).strip(), display="block" if found[1] == "div" else "inline")

    return _OF_FORMULAS.sub(as_mathml, content)


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Names without a page of their own carry no tooltip, which a keyboard would not reach."""
    return re.sub(r'<span title="[^"]*">', "<span>", output)


def notebook_page(path: Path) -> str:
    """The cells of a stored notebook as Markdown, with what they printed."""
    parts = []
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        parts.append(f"```python\n{cell.source}\n```")
        for output in cell.get("outputs", ()):
            parts += _shown(output)
    return "\n\n".join(parts) + "\n"


def _shown(output: Any) -> list[str]:
    data = output.get("data", {})
    if "text/html" in data:
        # On one line, as Markdown takes HTML; details that a mouse alone would reach stand in the text beside it
        shown = re.sub(r' title="[^"]*"', "", data["text/html"]).replace("\n", "&#10;")
        return [f'<div class="output">{shown}</div>']
    if "image/png" in data:
        return [f"![What the cell draws](data:image/png;base64,{''.join(data['image/png'].split())})"]
    text = output.get("text") or data.get("text/plain", "")
    return [f"```text\n{text.rstrip()}\n```"] if text else []


_OF_ROWS = re.compile(r'^<a id="([\w-]+)"></a>\n\n## (.*)\n', re.MULTILINE)


def reproduction_pages(text: str) -> tuple[str, dict[str, str]]:
    """(the overview with its table, {row: its page}) of docs/reproduction.md, one file where files are read."""
    overview, *parts = _OF_ROWS.split(text)
    rows = {}
    for name, title, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        # A row's page lies one folder deeper than the file
        page = re.sub(r"\]\((?!https?:|#)", "](../", body)
        page = re.sub(r"\]\(#([\w-]+)\)", r"](\1.md)", page)
        rows[name] = f"# {title}\n{page.rstrip()}\n\n[All rows](../reproduction.md)\n"
    return re.sub(r"\]\(#([\w-]+)\)", r"](reproduction/\1.md)", overview), rows


def api_pages() -> dict[str, str]:
    """{page: Markdown} of the public names, each documented from its docstring."""
    groups = {package: (package, names.split()) for package, names in crosscheck.PUBLIC.items()}
    groups["fuzzing"] = "bridge.fuzzing.own_backends", ["fuzz", "FuzzReport"]
    groups["timing"] = "crosscheck.timing", ["compare"]
    groups["layers"] = "model_spec.layers", list(layers.LAYERS)
    groups["optimizers"] = "model_spec.optimizers", _names(optimizers.OPTIMIZERS)
    groups["losses"] = "model_spec.losses", _names(losses.LOSSES)
    return {
        name: f"# {_TITLES[name]}\n\n" + "\n\n".join(f"::: {package}.{public}" for public in names) + "\n"
        for name, (package, names) in groups.items()
    }


_TITLES = {
    "bridge": "The judge: `bridge`, also in `crosscheck`",
    "core_numpy": "NumPy models: `core_numpy`, also in `crosscheck`",
    "keras_models": "Keras models: `keras_models`, also in `crosscheck`",
    "model_spec": "Specifications: `model_spec`, also in `crosscheck`",
    "fuzzing": "Fuzzing a backend of one's own: `crosscheck.fuzz`",
    "timing": "Timing: `crosscheck.timing`",
    "layers": "Layers",
    "optimizers": "Optimizers",
    "losses": "Losses",
}


def _names(table: dict[str, type]) -> list[str]:
    return sorted({kind.__name__ for kind in table.values()})
