"""Backend, float width, threads and the environment record."""

import os
import subprocess
import sys

import keras
import pytest

import keras_models


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env={**os.environ, **environment}, capture_output=True, text=True
    )


def test_floatx_is_set_and_restored_even_after_an_error():
    before = keras.config.floatx()
    with keras_models.floatx("float64") as name:
        assert (name, keras.config.floatx()) == ("float64", "float64")
        with keras_models.floatx("float32"):
            assert keras.config.floatx() == "float32"
        assert keras.config.floatx() == "float64"
    with pytest.raises(RuntimeError, match="inside"), keras_models.floatx("float64"):
        raise RuntimeError("inside")
    assert keras.config.floatx() == before == "float32"
    with pytest.raises(ValueError, match="float16"), keras_models.floatx("float16"):
        pass


def test_a_first_model_in_float64_leaves_later_layers_alone():
    code = (
        "import keras, keras_models as k, model_spec as m;"
        "model = k.KerasModel(m.ModelSpec('m', (2,), (m.Dense(3),)), dtype='float64');"
        "layer = keras.layers.Dense(1); layer.build((None, 2));"
        "print(model.keras_model.compute_dtype, layer.kernel.dtype, keras.config.floatx());"
        "keras.config.set_dtype_policy('mixed_float16');"
        "model.predict([[1.0, 2.0]]); k.KerasModel(model.spec);"
        "print(keras.config.dtype_policy().name)"
    )
    result = run(code)
    assert result.stdout == "float64 float32 float32\nmixed_float16\n", result.stderr


def test_environment_names_versions_and_threads():
    found = keras_models.environment()
    assert found["keras"] == keras.__version__
    assert found["keras_backend"] == "tensorflow"
    assert {"tensorflow", "numpy", "TF_ENABLE_ONEDNN_OPTS", "intra_op_threads", "inter_op_threads"} <= set(found)


def test_threads_are_set_before_the_first_operation_and_refused_after_it():
    code = (
        "import keras_models as k; k.set_threads(1); e = k.environment();"
        "print(e['intra_op_threads'], e['inter_op_threads']);"
        "import tensorflow as tf; tf.constant(1.0) + 1; k.set_threads(1);\n"
        "try: k.set_threads(2)\nexcept ValueError as error: print(error)"
    )
    result = run(code)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("1 1\n")
    assert "before its first operation" in result.stdout
    # TensorFlow's libraries print four lines while they are loaded
    assert result.stderr == ""


def test_another_backend_is_refused():
    result = run("import keras_models", KERAS_BACKEND="jax")
    assert result.returncode != 0
    assert "ImportError: keras_models compares with Keras on TensorFlow, but KERAS_BACKEND is 'jax'" in result.stderr


def test_missing_keras_names_the_pip_line():
    result = run("import sys; sys.modules['keras'] = None\nimport keras_models")
    assert 'pip install "crosscheck[keras]"' in result.stderr
