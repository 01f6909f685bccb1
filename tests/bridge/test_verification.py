"""A certificate repeated where the model is used: rounding agrees, a flipped weight or a wrong product does not."""

import io
import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import core_numpy
from benchmarks import cli
from bridge import conversion
from keras_models import KerasModel
from model_spec import Conv2D, Dense, Dropout, Flatten, MaxPooling2D, ModelSpec, seals, weight_files, zoo
from model_spec.serialization import model_from_dict

RIGHT_MATMUL = np.matmul


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """The path of a converted network with convolutions, dropout and batch normalization left out."""
    path = tmp_path_factory.mktemp("certified") / "model.npz"
    layers = (Conv2D(8, 3, activation="relu"), MaxPooling2D(), Dropout(0.2), Flatten(), Dense(16, activation="relu"))
    spec = ModelSpec("m", (12, 12, 1), (*layers, Dense(10, activation="softmax")))
    assert conversion.to_numpy(KerasModel(spec, seed=1).keras_model, path).passed
    return path


def rewritten(source, target, certify_again, change):
    """The file written again with other weights, whole; and its hashes made anew, too, where asked for."""
    file = weight_files.read(source, samples=True)
    weights = {name: value.copy() for name, value in file.arrays.items()}
    change(weights)
    certificate = dict(file.meta["certificate"])
    if certify_again:
        certificate |= weight_files.fingerprints(weights)
    spec = model_from_dict(file.meta["spec"])
    weight_files.save(
        target, weights, spec, file.samples, backend="numpy", dtype=file.meta["dtype"], certificate=certificate
    )


def patched(source, target):
    """A bit of one weight flipped inside the file, and the checksums of zip and seal made anew."""
    result = io.BytesIO()
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(result, "w") as new:
        for entry in archive.infolist():
            data = bytearray(archive.read(entry))
            if entry.filename == "dense/kernel.npy":
                data[-3] ^= 0x40
            new.writestr(entry.filename, bytes(data))
    target.write_bytes(seals.sealed(result))


def flip(weights):
    weights["dense/kernel"][7, 3] *= -1


def test_what_holds_is_repeated(converted, capsys):
    found = core_numpy.verify(converted)
    assert found.passed
    assert {"conv2d", "conv2d/preactivation", "dense_1", "prediction of the folded network"} <= set(found.errors)
    assert 0 < max(found.errors.values()) < 1
    x = np.zeros((1, 12, 12, 1))
    np.testing.assert_array_equal(
        core_numpy.load(converted, verify=True).predict(x), core_numpy.load(converted).predict(x)
    )
    assert cli.main(["verify", str(converted)]) == 0
    assert capsys.readouterr().out.startswith("AGREE: 10 outputs of the certificate repeated on 4 of its samples")
    assert cli.main(["verify", str(converted), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "AGREE"


@pytest.mark.parametrize("kind", ["written again", "patched"])
def test_other_weights_are_not_loaded(kind, converted, tmp_path, capsys):
    path = tmp_path / "flipped.npz"
    if kind == "patched":
        patched(converted, path)
    else:
        rewritten(converted, path, False, flip)
    with pytest.raises(
        weight_files.CertificateError, match="other weights than its certificate .* dense/kernel differ"
    ):
        core_numpy.load(path)
    with pytest.raises(core_numpy.WeightFileError, match="dense/kernel"):
        core_numpy.NumpyModel(core_numpy.load(converted).spec).load_weights(path)
    assert cli.main(["verify", str(path)]) == 1
    assert capsys.readouterr().out.startswith("DIFFER: ")


@pytest.mark.parametrize("layer", ["conv2d", "dense", "dense_1"])
def test_a_flipped_weight_shows_even_where_all_hashes_were_made_anew(layer, converted, tmp_path, capsys):
    path = tmp_path / "flipped.npz"

    def one_weight(weights):
        kernel = weights[f"{layer}/kernel"]
        # Where it is seen: behind a unit that some sample switches on
        kernel[np.unravel_index(np.abs(kernel).argmax(), kernel.shape)] *= -1

    rewritten(converted, path, True, one_weight)
    assert cli.main(["verify", str(path)]) == 1
    assert f"  {layer}" in capsys.readouterr().out
    with pytest.raises(core_numpy.VerificationError, match="does not hold on this machine"):
        core_numpy.load(path, verify=True)


def wrong(kind):
    def product(a, b, out=None, **options):
        if kind == "last term forgotten":
            a = np.array(a)
            a[..., -1] = 0
        y = RIGHT_MATMUL(a, b, **options)
        if kind == "a ten-thousandth too large":
            y = y * np.float32(1.0001)
        elif kind == "one value wrong":
            y.reshape(-1)[-1] += 1
        elif kind == "NaN":
            y[...] = np.nan
        if out is None:
            return y
        out[...] = y
        return out

    return product


@pytest.mark.parametrize("kind", ["last term forgotten", "a ten-thousandth too large", "one value wrong", "NaN", ""])
def test_a_wrong_product_is_not_verified(kind, converted, monkeypatch, capsys):
    monkeypatch.setattr(np, "matmul", wrong(kind))
    assert cli.main(["verify", str(converted)]) == (1 if kind else 0)
    out = capsys.readouterr().out
    assert out.startswith("DIFFER" if kind else "AGREE")
    assert ("error/bound inf" in out) == (kind == "NaN")


@pytest.mark.parametrize("core", ["Haswell", "Prescott"])
def test_another_kernel_is_rounding(core, converted):
    code = (
        "import sys\n"
        "from benchmarks import cli\n"
        f"code = cli.main(['verify', {str(converted)!r}])\n"
        "heavy = ('tensorflow', 'keras', 'scipy', 'sklearn', 'matplotlib', 'h5py', 'joblib', 'bridge', 'PIL')\n"
        "print([name for name in heavy if name in sys.modules])\n"
        "sys.exit(code)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "OPENBLAS_CORETYPE": core},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("AGREE")
    assert run.stdout.splitlines()[-1] == "[]"


BOUNDS = {"infinite bounds": ("output_bounds", np.inf), "negative bounds": ("output_bounds", -1.0)}
BOUNDS |= {"infinite bounds of sums": ("sums", np.inf), "bounds that are no numbers": ("output_bounds", np.nan)}


@pytest.mark.parametrize(
    "kind", ["missing", "without a certificate", "damaged", "without samples", "of other samples", *BOUNDS]
)
def test_what_cannot_be_verified(kind, converted, tmp_path, capsys):
    path = tmp_path / "m.npz"
    if kind == "without a certificate":
        core_numpy.load(converted).save_weights(path)
    elif kind == "damaged":
        content = bytearray(converted.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    elif kind.startswith("with"):
        file = weight_files.read(converted)
        spec = model_from_dict(file.meta["spec"])
        weight_files.save(path, file.arrays, spec, dtype="float32", certificate=file.meta["certificate"])
    elif kind == "of other samples":
        file = weight_files.read(converted, samples=True)
        samples = {**file.samples, "x": np.zeros((4, 3, 3, 1))}
        spec = model_from_dict(file.meta["spec"])
        weight_files.save(path, file.arrays, spec, samples, dtype="float32", certificate=file.meta["certificate"])
    elif kind in BOUNDS:
        file = weight_files.read(converted, samples=True)
        name, value = BOUNDS[kind]
        samples = {**file.samples, name: np.full_like(file.samples[name], value)}
        spec = model_from_dict(file.meta["spec"])
        weight_files.save(path, file.arrays, spec, samples, dtype="float32", certificate=file.meta["certificate"])
    assert cli.main(["verify", str(path)]) == 2
    assert "m.npz" in capsys.readouterr().err
    with pytest.raises(core_numpy.WeightFileError):
        core_numpy.load(path, verify=True)


def test_a_changed_model_saves_no_certificate(converted, tmp_path):
    model = core_numpy.load(converted)
    model.set_weights({name: value * 2 for name, value in model.weights.items()})
    model.save_weights(tmp_path / "m.npz")
    assert "certificate" not in weight_files.read(tmp_path / "m.npz").meta
    assert core_numpy.load(tmp_path / "m.npz").spec == model.spec


def test_samples_take_little_room(tmp_path):
    conversion.to_numpy(KerasModel(zoo.lenet()).keras_model, tmp_path / "m.npz")
    file = weight_files.read(tmp_path / "m.npz", samples=True)
    weights = sum(value.nbytes for value in file.arrays.values())
    assert sum(value.nbytes for value in file.samples.values()) < 0.03 * weights
    assert weight_files.read(tmp_path / "m.npz").samples == {}
