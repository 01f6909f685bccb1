"""One real comparison for all tests of the report: lenet on a few digits, everything switched on."""

import pytest

from benchmarks import compare as job
from benchmarks import experiments, report


@pytest.fixture(scope="session")
def comparison(short_speeds):
    data = experiments.load_data("digits", limit=200)
    (spec,) = (found.spec for found in experiments.find_experiments(["lenet"], data))
    training = experiments.default_training(data, epochs=2, batch_size=32, seed=0)
    with short_speeds():
        return job.run(spec, data, training, seed=0, threads=2, drift_steps=3, seeds=2)


@pytest.fixture(scope="session")
def saved(comparison, tmp_path_factory):
    """The directory with both files of the comparison."""
    directory = tmp_path_factory.mktemp("report")
    report.save(comparison, directory)
    return directory
