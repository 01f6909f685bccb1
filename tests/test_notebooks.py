"""The notebooks run from top to bottom, and what is stored in them was printed by a run without errors."""

import re
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "docs/notebooks").glob("*.ipynb"))


def printed(notebook):
    """What the cells print, numbers left out: rounding and speed differ between machines."""
    text = "\n".join(
        output.get("text", "") for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs
    )
    return re.sub(r"[-+]?\d[\d.e+-]*", "#", text)


def test_there_are_three():
    assert len(NOTEBOOKS) == 3


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the notebook's own machinery; the kernel has warnings of its own
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_and_prints_what_is_stored(path, tmp_path):
    stored = nbformat.read(path, as_version=4)
    assert all(cell.execution_count for cell in stored.cells if cell.cell_type == "code"), "run it before storing it"
    assert str(Path.home()) not in path.read_text()
    fresh = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(fresh, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert printed(fresh).splitlines()[:3] == printed(stored).splitlines()[:3]
    for cell in fresh.cells:
        assert all(output.output_type != "error" for output in cell.get("outputs", []))
