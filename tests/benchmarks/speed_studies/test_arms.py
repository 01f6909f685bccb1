"""What is timed and where: every task finishes its work, in a process with an environment of its own."""

import os

import numpy as np
import pytest

from benchmarks.speed_studies import arms, peers
from benchmarks.speed_studies.worker_process import ResidentArm, ResidentProcess, seconds_of
from core_numpy import NumpyModel
from model_spec import BatchNormalization, Dense, Flatten, ModelSpec, to_json


def test_a_resident_process_has_its_own_environment():
    with ResidentProcess({"CROSSCHECK_TEST": "7"}) as process:
        assert process.call("os:getenv", "CROSSCHECK_TEST") == "7"
        assert process.call("os:getpid") != os.getpid()
        arm = ResidentArm(
            process, "benchmarks.speed_studies.arms:numpy_inference", ("784-16 sigmoid-10", 2, "digits-28", "auto", 1)
        )
        with pytest.raises(ValueError, match="digits-28"):
            arm.sample(1)


@pytest.mark.parametrize("network", list(arms.NETWORKS))
def test_every_arm_finishes_its_work(network):
    loss = arms.numpy_step(network, 8, "random", "auto", 1)()
    assert 0 < loss < 10
    assert arms.numpy_inference(network, 4, "random", "auto", 1)().shape == (4, 10)
    assert len(arms.numpy_epoch(network, 4, 8, "random", "auto", 1)().history["loss"]) == 1
    assert 0 < arms.textbook_step(network, 8, "random")() < 100
    assert arms.numpy_gradients(network, 4, "random", 1)().loss > 0


def test_every_arm_of_tensorflow_finishes_its_work(monkeypatch):
    monkeypatch.setattr("keras_models.set_threads", lambda threads: None)
    network = "784-16 sigmoid-10"
    for jit in (None, False):
        assert 0 < arms.tensorflow_step(network, 8, "random", 1, jit)() < 10
    assert arms.tensorflow_inference(network, 4, "random", 1, False)().shape == (4, 10)
    assert arms.keras_predict(network, 4, "random", 1)().shape == (4, 10)
    assert [part.shape for part in arms.tensorflow_gradients(network, 4, "random", 1, False)()][-1] == (4, 28, 28, 1)
    assert len(arms.keras_epoch(network, 4, 8, "random", 1)().history["loss"]) == 1


def test_a_network_may_be_given_as_json():
    spec = ModelSpec("own", (5,), (Dense(3, activation="softmax"),))
    assert arms.network_of(to_json(spec)) == spec
    x, y = arms.batch_for(spec, 7, "random")
    assert x.shape == (7, 5) and x.dtype == np.float32 and set(y) <= {0, 1, 2}


@pytest.mark.parametrize("network", list(arms.NETWORKS))
def test_onnxruntime_computes_the_same(network):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    spec = arms.network_of(network)
    model = NumpyModel(spec)
    graph = peers.onnx_model(spec, model.weights).SerializeToString()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    x, _ = arms.batch_for(spec, 3, "random")
    np.testing.assert_allclose(session.run(None, {"x": x})[0], model.predict(x), atol=1e-6)


def test_peers_say_what_they_cannot_do():
    pytest.importorskip("onnx")
    spec = ModelSpec("bn", (4,), (BatchNormalization(), Dense(2)))
    with pytest.raises(ValueError, match="is not translated to ONNX"):
        peers.onnx_model(spec, NumpyModel(spec).weights)


def test_which_networks_scikit_learn_can_train():
    assert peers.fits_sklearn(arms.network_of("784-100-50-10"))
    assert not peers.fits_sklearn(arms.network_of("cnn"))
    assert not peers.fits_sklearn(ModelSpec("lonely", (4,), (Flatten(),)))
    mixed = (Dense(3, activation="relu"), Dense(3, activation="tanh"), Dense(2, activation="softmax"))
    assert not peers.fits_sklearn(ModelSpec("mixed", (4,), mixed))
    peers.sklearn_step("784-16 sigmoid-10", 20, "random")()


def test_seconds_are_those_of_the_calls():
    assert seconds_of("tests.benchmarks.speed_studies.slow_task:build", (0.01,), 3) == pytest.approx(0.03, abs=0.02)


@pytest.mark.parametrize("network", list(arms.NETWORKS))
def test_pytorch_trains_the_same_network(network):
    pytest.importorskip("torch")
    spec = arms.network_of(network)
    assert sum(parameter.numel() for parameter in peers.torch_model(spec).parameters()) == spec.parameter_count
    step = peers.torch_step(network, 8, arms.RANDOM, 1)
    losses = [step() for _ in range(30)]
    assert losses[-1] < losses[0]
    np.testing.assert_allclose(peers.torch_inference(network, 8, arms.RANDOM, 1)().sum(axis=1), 1, rtol=1e-5)


def test_what_pytorch_is_not_given():
    pytest.importorskip("torch")
    with pytest.raises(ValueError, match="not translated to PyTorch"):
        peers.torch_model(ModelSpec("other", (4,), (BatchNormalization(), Dense(2))))
