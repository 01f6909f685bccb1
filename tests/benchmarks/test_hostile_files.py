"""Hostile files, by Python and by the command: refused by name, or read rightly; nothing written, no setting changed."""

import importlib
import json
import os
import re
import resource
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

import benchmarks.commands.common
import core_numpy
import keras_models
import model_spec.model
from benchmarks.cli import main
from benchmarks.samples import load_samples
from bridge.saved_cases import SavedCase
from core_numpy import NumpyModel
from keras_models import read
from model_spec import TrainingSpec, limits
from tests.benchmarks.hostile_files import (
    DATA,
    HUGE,
    RED,
    SMALL,
    Maker,
    deep,
    first,
    layer_of,
    nested,
    object_of,
    setting,
    spec_of,
)

ROOT = Path(__file__).resolve().parents[2]
NOT_SUPPORTED = "this layer is not supported; supported are Dense, Conv2D"
DENSE = {"type": "Dense", "units": 3}
PADDING = {"type": "ZeroPadding2D", "padding": 30000}
POOL = {"type": "GlobalMaxPooling2D"}


@keras.saving.register_keras_serializable("hostile")
class Doubled(keras.layers.Dense):
    """A layer of the user's own that a file might name."""


def a_function(name, **more):
    return {"module": "keras.config", "class_name": "function", "config": name, "registered_name": "function"} | more


# ---- configurations: name: (change of the configuration, words of the answer)

CONFIGURATIONS = {
    # Keras 3.15 still runs these while it loads, in safe mode
    "function that writes a picture": (Maker.gallery, r"'plot_image_gallery_' \(Lambda\): " + NOT_SUPPORTED),
    "function that sets epsilon": (lambda m: m.on_constant("keras.config", "set_epsilon", 0.5, {}), r"\(Lambda\)"),
    "function that sets floatx": (lambda m: m.on_constant("keras.config", "set_floatx", "float64", {}), r"\(Lambda\)"),
    # CVE-2024-3660, CVE-2025-1550, CVE-2025-8747, CVE-2025-9906, CVE-2025-12060
    "code in a Lambda": (
        lambda m: m.beside("keras.layers", "Lambda", function=object_of(None, "__lambda__", {"value": m.lambda_code()})),
        r"layer 'it' \(Lambda\)",
    ),
    "any function of any module": (lambda m: m.on_constant("os", "system", "true", {}), r"'system_' \(Lambda\)"),
    "unsafe deserialization": (
        lambda m: m.on_constant("keras.config", "enable_unsafe_deserialization", {}, {}),
        r"'enable_unsafe_deserialization_' \(Lambda\)",
    ),
    "global attribute": (
        lambda m: m.on_constant("keras.src.backend.common.global_state", "set_global_attribute", "safe_mode_saving", {}),
        r"\(Lambda\)",
    ),
    "download and unpack": (
        lambda m: m.on_constant("keras.utils", "get_file", "x", {"origin": "file:///none", "extract": True}),
        r"'get_file_' \(Lambda\)",
    ),
    # CVE-2025-12058, CVE-2025-49655, CVE-2026-1462
    "vocabulary from a file": (
        lambda m: m.beside("keras.layers", "StringLookup", vocabulary=str(m.watched / "secret")),
        r"layer 'it' \(StringLookup\)",
    ),
    "text of a file": (
        lambda m: m.beside("keras.layers", "TextVectorization", vocabulary=str(m.watched / "secret")),
        r"\(TextVectorization\)",
    ),
    "pickled torch module": (
        lambda m: m.beside("keras.layers", "TorchModuleWrapper", module={"class_name": "__bytes__", "config": {}}),
        r"\(TorchModuleWrapper\)",
    ),
    "saved model elsewhere": (
        lambda m: m.beside("keras.layers", "TFSMLayer", filepath=str(m.watched)),
        r"\(TFSMLayer\)",
    ),
    "layer in a wrapper": (
        lambda m: m.beside("keras.layers", "TimeDistributed", layer=object_of("keras.layers", "Lambda")),
        r"\(TimeDistributed\)",
    ),
    "operation": (lambda m: m.beside("keras.src.ops.nn", "Relu"), r"'it' \(Relu\): " + NOT_SUPPORTED),
    "layer of another module": (
        lambda m: lambda whole: first(whole).update(module="numpy"),
        "'Dense' of module 'numpy' is not supported",
    ),
    "layer of no module": (lambda m: lambda whole: first(whole).update(module=None), "'Dense' of module None"),
    "registered class": (
        lambda m: lambda whole: first(whole).update(registered_name="hostile>Doubled"),
        "'Dense' is registered as 'hostile>Doubled'",
    ),
    "subclassed model": (
        lambda m: lambda whole: whole.update(class_name="Doubled", registered_name="hostile>Doubled"),
        "can compute anything in its call",
    ),
    # Objects where options stand
    "function as activation": (lambda m: setting(activation=a_function("set_epsilon")), "keras.config function set_eps"),
    "text as activation": (lambda m: setting(activation="set_epsilon"), "activation 'set_epsilon' is not supported"),
    "layer as activation": (
        lambda m: setting(activation=object_of("keras.layers", "Lambda")),
        "activation keras.layers Lambda is not supported",
    ),
    "function as initializer": (lambda m: setting(kernel_initializer=a_function("set_floatx")), "function set_floatx"),
    "array as initial value": (
        lambda m: setting(bias_initializer=object_of("keras.initializers", "Constant", {"value": {"class_name": "x"}})),
        r"bias_initializer holds an object \(x\)",
    ),
    "function as regularizer": (lambda m: setting(kernel_regularizer=a_function("set_epsilon")), "set_epsilon is not"),
    "function as constraint": (lambda m: setting(kernel_constraint=a_function("set_epsilon")), "kernel_constraint=keras"),
    "object as precision": (
        lambda m: setting(dtype=object_of("keras.dtype_policies", "DTypePolicyMap")),
        "dtype: 'DTypePolicyMap' is not supported",
    ),
    "object under another option": (lambda m: setting(units=object_of("keras.layers", "Lambda")), "units holds an obj"),
    "object deep in a list": (
        lambda m: setting(units=[[{"class_name": "__lambda__", "config": {}}]]),
        r"units holds an object \(__lambda__\)",
    ),
    "object in build_config": (
        lambda m: lambda whole: first(whole).update(build_config={"input_shape": a_function("set_epsilon")}),
        "holds an object",
    ),
    "object as shared_object_id": (
        lambda m: lambda whole: first(whole).update(shared_object_id=a_function("set_epsilon")),
        "shared_object_id is keras.config function",
    ),
    "object under an unknown key": (
        lambda m: lambda whole: first(whole).update(extra=a_function("set_epsilon")),
        r"has \['extra'\]",
    ),
    "object as the argument of a call": (
        lambda m: lambda whole: first(whole)["inbound_nodes"][0]["kwargs"].update(mask=a_function("set_epsilon")),
        "called with mask=keras.config function",
    ),
    "call on an array": (
        lambda m: lambda whole: first(whole).update(inbound_nodes=[{"args": [object_of(None, "__numpy__")], "kwargs": {}}]),
        r"has \['module', 'registered_name'\]",
    ),
    "compiled inside": (
        lambda m: lambda whole: whole["config"]["layers"][-1].update(compile_config={"loss": a_function("set_epsilon")}),
        "model 'part' was compiled",
    ),
    # Shapes of layers
    "layer off the way": (
        lambda m: lambda whole: whole["config"]["layers"].append(dict(first(whole), name="aside")),
        r"layer 'aside' \(Dense\) is off the way from input to output",
    ),
    "layers in a ring": (
        lambda m: lambda whole: first(whole)["inbound_nodes"][0]["args"][0]["config"].update(keras_history=["part", 0, 0]),
        "no way leads from its input",
    ),
    "two layers of one name": (lambda m: lambda whole: whole["config"]["layers"].append(first(whole)), "two layers"),
    "name that climbs": (lambda m: lambda w: w.update(config=dict(w["config"], name="../../x")), None),
    "name of control characters": (lambda m: lambda w: w.update(class_name=RED), r"\\x1b\[31m\\nAGREE"),
    # Sizes
    "units": (lambda m: setting(units=HUGE), "one prediction of model 'good' takes 3.638 TiB"),
    "units of a part": (lambda m: lambda w: nested(w)["layers"][1]["config"].update(units=2**26), "the variables of model 'good' take 1.5 GiB"),
    "claimed input of a part": (
        lambda m: lambda whole: nested(whole)["layers"][0]["config"].update(batch_shape=[None, HUGE]),
        r"'last' \(Dense\) is said to take \(1000000000000,\), \(5,\) comes in",
    ),
    "claimed build shape": (
        lambda m: lambda whole: nested(whole).update(build_input_shape=[None, HUGE]),
        "is said to take",
    ),
    "input": (
        lambda m: lambda whole: whole["config"]["layers"][0]["config"].update(batch_shape=[None, HUGE, 4]),
        "one prediction of model 'good' takes",
    ),
    "more weights than the file holds": (
        lambda m: lambda whole: nested(whole)["layers"][1]["config"].update(units=5000),
        "its layers have 30,025 weights, it holds",
    ),
    "many layers": (lambda m: lambda whole: nested(whole)["layers"].extend([{}] * 2000), "has 2,002 layers"),
    "deep": (lambda m: lambda whole: first(whole)["config"].update(units=[[[[[[[1]]]]]]]), "too long or too deep"),
}  # fmt: skip

BOTH_FORMATS = (
    "function that writes a picture",
    "function that sets epsilon",
    "code in a Lambda",
    "vocabulary from a file",
    "registered class",
    "function as activation",
    "claimed input of a part",
    "units",
)
"""Files in the older format, where Keras has no safe mode (CVE-2025-9905)."""


def of_old_format(make):
    """The same in an .h5 file, whose entries have no module."""
    return lambda maker: maker.keras(make(maker), old=True)


# ---- HDF5: name: (change of the file, words)


def link(kind):
    def change(file):
        if "vars" in file:
            del file["vars"]
        file["vars"] = kind

    return change  # fmt: skip


def dataset(**options):
    def change(file):
        if "vars" in file:
            del file["vars"]
        file.create_dataset("vars", **options)

    return change  # fmt: skip


def virtual(file):
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("secret.h5", "a", (4,))
    file.create_virtual_dataset("virtual", layout)


def ring(file):
    file["ring"] = file["/"]


def very_deep(file):
    group = file
    for _ in range(60):
        group = group.create_group("g")


def text_weights(file):
    file.create_dataset("words", data=["a"], dtype=h5py.string_dtype())


def committed(file):
    file["kind"] = np.dtype("f8")


HDF5 = {
    # CVE-2026-1669
    "external link": (link(h5py.ExternalLink("secret.h5", "/a")), r"'vars' is a link \(ExternalLink\)"),
    "soft link": (link(h5py.SoftLink("/layers")), r"'vars' is a link \(SoftLink\)"),
    "external storage": (
        dataset(shape=(4,), dtype="f4", external=[("secret", 0, 16)]),
        "'vars' is kept in another file",
    ),
    "virtual array": (virtual, "'virtual' is kept in another file"),
    # CVE-2026-0897
    "shape without data": (dataset(shape=(10**6, 10**6), dtype="f4", chunks=(1000, 1000)), "claim 4,000,0.*'vars'"),
    "compressed zeros": (
        dataset(data=np.zeros((5000, 5000), np.float32), compression="gzip", chunks=(5000, 5000)),
        "claim 100,0",
    ),
    "group in itself": (ring, "'ring' is another name"),
    "deep groups": (very_deep, "nested more than 50 deep"),
    "text": (text_weights, "'words' holds object"),
    "named type": (committed, "'kind' is a Datatype"),
    "plug-in filter": (dataset(shape=(8,), dtype="f4", chunks=(8,), compression="lzf"), "packed by a plug-in"),
}

# ---- zip archives


def forged(maker, **changes):
    """A file whose directory says something else of config.json than there is."""
    path = maker.whole_zip()
    content = path.read_bytes()
    at = content.rindex(b"PK\1\2", 0, content.rindex(b"config.json"))
    head = bytearray(content[at : at + 46])
    for offset, value in changes.values():
        head[offset : offset + len(value)] = value
    return maker.write("hostile.keras", content[:at] + bytes(head) + content[at + 46 :])


def linked(maker):
    entry = zipfile.ZipInfo("config.json")
    entry.external_attr = 0o120777 << 16
    return maker.zip([(n, c) for n, c in maker.entries.items() if n != "config.json"] + [(entry, "/etc/hostname")])


ARCHIVES = {
    "entry outside": (lambda m: m.whole_zip(("../../escaped", b"x")), r"it holds \['../../escaped'\] besides"),
    "entry of control characters": (lambda m: m.whole_zip((RED, b"x")), r"\\x1b\[31m\\nAGREE"),
    "assets": (lambda m: m.whole_zip(("assets/x", b"x")), "supported layers need nothing else"),
    "two configurations": (lambda m: m.whole_zip(("config.json", b"{}")), "once each"),
    "link": (linked, "config.json is a link"),
    "large configuration": (
        lambda m: m.zip([*m.entries.items()][2:] + [("config.json", b" " * 50_000_000), *[*m.entries.items()][:1]],
                        zipfile.ZIP_DEFLATED),
        "config.json claims 50,000,000 bytes|once each",
    ),
    "weights of zeros": (
        lambda m: m.zip({**m.entries, "model.weights.h5": bytes(100_000_000)}.items(), zipfile.ZIP_DEFLATED),
        "model.weights.h5 claims 100,000,000 bytes",
    ),
    "another packing": (lambda m: m.whole_zip(method=zipfile.ZIP_BZIP2), "packed by method 12"),
    "encrypted": (lambda m: forged(m, flags=(8, b"\1\0")), "damaged zip archive"),
    "size that is not": (lambda m: forged(m, size=(24, struct.pack("<I", 9))), "damaged zip archive|no JSON|Expecting"),
    "deep configuration": (lambda m: m.zip({**m.entries, "config.json": deep(10**6)}.items()), "nested"),
    "no configuration": (lambda m: m.zip(list(m.entries.items())[2:]), "it holds"),
    "not a zip archive": (lambda m: m.write("hostile.keras", "PK"), "damaged zip archive"),
}  # fmt: skip

# ---- files of our own


def array_header(shape, dtype="<f4", data=b"\0" * 16):
    head = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head + data


def overlapping(maker):
    """Many entries of the directory, all of the same bytes."""
    path = maker.raw_npz(("a.npy", array_header((250_000,), data=bytes(1_000_000))))
    content = path.read_bytes()
    end = content.rindex(b"PK\5\6")
    begin = struct.unpack("<I", content[end + 16 : end + 20])[0]
    entry, tail = content[begin:end], bytearray(content[end:])
    count = 300
    tail[8:12] = struct.pack("<HH", count, count)
    tail[12:16] = struct.pack("<I", len(entry) * count)
    body = content[:begin] + entry * count + bytes(tail)
    return maker.write("hostile.npz", body[:-8] + b"%08x" % zlib.crc32(body[:-8]))


def pipe(maker, name):
    path = maker.folder / name
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    return path


def device(maker, name):
    path = maker.folder / name
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero")
    return path


def image(*members):
    return spec_of({"type": "Reshape", "target_shape": [2, 2, 1]}, *members, POOL, DENSE)


KERNEL = {"conv/kernel": np.zeros((300, 300, 1, 1), np.float32), "conv/bias": np.zeros(1, np.float32)}

MODELS = {
    "padding": (lambda m: m.npz(image(PADDING)), "takes 13.41 GiB in float32, most of it at 'zero_padding2d'"),
    "windows of a convolution": (
        lambda m: m.npz(
            spec_of({"type": "Conv2D", "filters": 1, "kernel_size": 300, "name": "conv"}, POOL, DENSE, shape=(900, 900, 1)),
            KERNEL,
        ),
        "most of it at 'conv', 121.1 GiB",
    ),
    "windows of a pooling": (
        lambda m: m.npz(image({"type": "ZeroPadding2D", "padding": 500},
                              {"type": "MaxPooling2D", "pool_size": 500, "strides": 1, "padding": "same"})),
        "most of it at 'max_pooling2d'",
    ),
    "units": (lambda m: m.npz(spec_of({"type": "Dense", "units": HUGE})), "one prediction of model 'small' takes"),
    "axes": (lambda m: m.npz(spec_of({"type": "Reshape", "target_shape": [1] * 40 + [4]}, DENSE)), "values of 41 axes"),
    "many layers": (lambda m: m.npz(spec_of(*[{"type": "Flatten"}] * 3000)), "the model has 3000 layers"),
    "numbers beyond any machine": (lambda m: m.npz(spec_of({"type": "Dense", "units": 10**30})), "below 2"),
    "infinite option": (lambda m: m.npz(spec_of({"type": "Rescaling", "scale": 10**400})), "scale must be a finite"),
    "list as a number": (lambda m: m.npz(spec_of({"type": "Dense", "units": [[3]]})), r"got \(\(3,\),\)"),
    "table as a name": (lambda m: m.npz(spec_of({"type": {}}, DENSE)), "unknown type {}"),
    "name that climbs": (lambda m: m.npz(spec_of(DENSE, name="../../x")), r"got '../../x': it holds /"),
    "name of control characters": (lambda m: m.npz(spec_of(DENSE, name=RED)), r"'a\\x1b\[31m\\nAGREE: everything"),
    "option of control characters": (lambda m: m.npz(spec_of({**DENSE, RED: 1})), r"has no option a\\x1b\[31m\\nAGREE"),
    "layer name of control characters": (lambda m: m.npz(spec_of({**DENSE, "name": RED})), r"got 'a\\x1b\[31m\\nAGREE"),
    "long layer name": (lambda m: m.npz(spec_of({**DENSE, "name": "n" * 5000})), "at most 100 characters, got 5000"),
    "array name of control characters": (
        lambda m: m.npz(arrays={RED: np.zeros(3, np.float32)}),
        r"a\\x1b\[31m\\nAGREE",
    ),
    "deep specification": (lambda m: m.npz(meta=deep(10**5).encode()), "nested"),
    "meta is a list": (lambda m: m.npz(meta=b"[]"), "has a damaged __meta__ entry"),
    "precision is a table": (lambda m: m.npz(meta={"dtype": {"a": 1}}), "dtype must be"),
    "no specification": (lambda m: m.npz(meta={"spec": None}), "a model must be a table"),
    "pickled objects": (
        lambda m: m.npz(arrays={"dense/kernel": np.array([print], object)}, sums=False),
        "'dense/kernel' holds Python objects",
    ),
    "header of another size": (lambda m: m.raw_npz(("a.npy", array_header((HUGE,)))), r"claims shape \(1000000000000,\)"),
    "header of negative size": (lambda m: m.raw_npz(("a.npy", array_header((-1, -4)))), r"claims shape \(-1, -4\)"),
    "header of code": (lambda m: m.raw_npz(("a.npy", array_header("__import__('os')"))), "is no array of NumPy's"),
    "two arrays of one name": (lambda m: m.raw_npz(*[("a.npy", array_header((4,)))] * 2), "two entries 'a'"),
    "overlapping entries": (overlapping, "entries claim"),
    "compressed zeros": (
        lambda m: m.raw_npz(("a.npy", array_header((10**8,), data=bytes(10**8))), method=zipfile.ZIP_DEFLATED),
        "claim to be larger than the file",
    ),
    "pipe": (lambda m: pipe(m, "hostile.npz"), "a device or a pipe"),
    "device": (lambda m: device(m, "hostile.npz"), "a device or a pipe"),
}  # fmt: skip

CHECKPOINTS = {
    "epochs are text": (lambda m: m.checkpoint(epochs="3"), "epochs must be an integer"),
    "history is a list": (lambda m: m.checkpoint(history=[1]), "history must be of dict"),
    "figures are tables": (lambda m: m.checkpoint(history={"history": {"loss": [{}]}}), "must be a number"),
    "training is a list": (lambda m: m.checkpoint(training=[]), "training must be of dict"),
    "memories are numbers": (lambda m: m.checkpoint(memories=[3]), "no checkpoint"),
    "stopping is a table of tables": (
        lambda m: m.checkpoint(stopping=dict.fromkeys(("wait", "best", "best_epoch", "stopped_epoch"), {})),
        "must be a number",
    ),
}

CASES = {
    "batch": (lambda m: m.case(batch=HUGE), "a batch of 1000000000000 of model 'small' takes"),
    "network": (lambda m: m.case(spec=image(PADDING)), "13.41 GiB"),
    "name that climbs": (lambda m: m.case(spec=spec_of(DENSE, name="../x")), "it holds /"),
    "options are a list": (
        lambda m: m.write("case.json", '{"case": 1, "options": [], "report": 1, "error": 1}'),
        "a saved",
    ),
    "paths are numbers": (lambda m: m.case(paths=[3]), "paths must be"),
    "precision": (lambda m: m.case(dtypes=["float16"]), "float16"),
    "fault is a table": (lambda m: m.case(fault={}), "fault and error must be text"),
    "loss is a layer": (lambda m: m.case(loss=DENSE), "loss must be a loss"),
    "report is a number": (lambda m: m.case(report=3), "report must be a table"),
    "deep": (lambda m: m.write("case.json", deep(10**5)), "nested"),
    "seed is text": (lambda m: m.case(seed="1"), "seed must be an integer"),
    "device": (lambda m: device(m, "case.json"), "a device or a pipe"),
}

TABLES = {
    "padding": (lambda m: m.toml(layers=layer_of("ZeroPadding2D", padding=30000) + layer_of("GlobalMaxPooling2D")), "GiB"),
    "units": (lambda m: m.toml(layers=layer_of("Dense", units=HUGE)), "one prediction of model 'net' takes"),
    "name that climbs": (lambda m: m.toml("../../escaped"), "it holds /"),
    "absolute name": (lambda m: m.toml("/tmp/escaped"), "it holds /"),
    "name of dots": (lambda m: m.toml(".."), "ends with a dot"),
    "name of a device": (lambda m: m.toml("nul.txt"), "name of a device"),
    "name with a stream": (lambda m: m.toml("a:b"), "it holds :"),
    "name of control characters": (lambda m: m.toml("evil\x1b]0;owned\x07"), r"'evil\\x1b\]0;owned\\x07'"),
    "name of two lines": (lambda m: m.toml("a\nAGREE: everything"), r"'a\\nAGREE: everything'"),
    "name that turns": (lambda m: m.toml("\u202emodel"), r"'\\u202emodel'"),
    "long name": (lambda m: m.toml("n" * 300), "has 300 characters, at most 100"),
    "deep": (lambda m: m.toml(more=f"a = {deep(500)}\n"), "nested"),
    "deep keys": (lambda m: m.toml(more=f"{'.'.join('a' * 500)} = 1\n"), "nested"),
    "large": (lambda m: m.toml(more="# " + "a" * 2_000_000 + "\n"), "at most 1,048,576 are read"),
    "shape is text": (lambda m: m.toml(shape='"large"'), "input_shape must be a tuple"),
    "infinite": (lambda m: m.toml(layers=layer_of("Rescaling") + "scale = inf\n"), "scale must be a finite number"),
    "pipe": (lambda m: pipe(m, "hostile.toml"), "a device or a pipe"),
}  # fmt: skip


def picture(width, height, content=b""):
    """A PNG that claims this size."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(content)) + chunk(b"IEND", b"")  # fmt: skip


PICTURES = {
    "size": (lambda m: m.write("hostile.png", picture(60_000, 60_000)), "decompression bomb"),
    "cut short": (lambda m: m.write("hostile.png", picture(8, 8)[:-20]), "hostile.png"),
    "something else": (lambda m: m.write("hostile.png", "#!/bin/sh\n"), "hostile.png"),
    "device": (lambda m: device(m, "hostile.png"), "hostile.png"),
}


def rows():
    """(what, kind, name, how it is made, words)."""
    for name, (change, words) in CONFIGURATIONS.items():
        yield "keras", name, lambda m, change=change: m.keras(change(m)), words
        if name in BOTH_FORMATS:
            yield "keras", f"{name}, .h5", of_old_format(change), words
    for name, (change, words) in HDF5.items():
        for kind in ("keras", "h5", "weights.h5"):
            yield "weights" if "weights" in kind else "keras", f"{name}, .{kind}", _hdf5(change, kind), words
    for kind, table in {
        "keras": ARCHIVES, "npz": MODELS, "checkpoint": CHECKPOINTS, "json": CASES, "toml": TABLES, "picture": PICTURES
    }.items():  # fmt: skip
        yield from ((kind, name, make, words) for name, (make, words) in table.items())


def _hdf5(change, kind):
    return lambda maker: maker.hdf5(change, kind)


ROWS = {f"{kind}: {name}": (kind, make, words) for kind, name, make, words in rows()}


@pytest.fixture(scope="module")
def maker(tmp_path_factory):
    watched = tmp_path_factory.mktemp("watched")
    (watched / "secret").write_text("a secret of many words\n")
    made = Maker(tmp_path_factory.mktemp("hostile"), watched)
    NumpyModel(SMALL).save_weights(made.folder / "good.npz")
    return made


def resume(path):
    NumpyModel(SMALL).fit(*DATA, TrainingSpec(), verbose=0, checkpoint=path, resume=True)


CALLS = {
    "keras": read,
    "weights": lambda path: read(
        path, spec=model_spec.ModelSpec("w", (4,), (model_spec.Dense(5), model_spec.Dense(3)))
    ),
    "npz": core_numpy.load,
    "checkpoint": resume,
    "json": SavedCase.load,
    "toml": model_spec.load_model,
    "picture": lambda path: load_samples(path, (8, 8, 1)),
}

LINES = {
    "keras": ["convert", "{}", "out.npz"],
    "weights": ["convert", "{}", "out.npz"],
    "npz": ["predict", "{}", "x.npz"],
    "checkpoint": ["predict", "{}", "x.npz"],
    "json": ["replay", "{}"],
    "toml": ["compare", "{}", "--output", "runs", "--quiet"],
    "picture": ["predict", "good.npz", "{}"],
}


def settings():
    policy = keras.config.dtype_policy().name
    unsafe = keras.src.saving.serialization_lib.in_safe_mode()
    return keras.config.floatx(), keras.config.epsilon(), keras.config.image_data_format(), policy, unsafe


def contents(folder):
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*")}


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


@pytest.mark.parametrize("row", ROWS)
def test_hostile_files_are_refused_by_name(row, maker, tmp_path, monkeypatch, capsys):
    kind, make, words = ROWS[row]
    monkeypatch.chdir(maker.folder)
    path = make(maker)
    monkeypatch.chdir(tmp_path)
    os.symlink(maker.folder / "good.npz", "good.npz")
    monkeypatch.setattr(keras_models, "set_threads", lambda threads: None)
    before = settings(), contents(maker.watched), contents(maker.folder), contents(tmp_path), peak()
    if words is None:
        CALLS[kind](path)
    else:
        with pytest.raises(ValueError, match=words) as refused:
            CALLS[kind](path)
        assert str(path) in str(refused.value) or kind == "picture"
        assert str(refused.value).isprintable()
        code = main([word.format(path) for word in LINES[kind]])
        captured = capsys.readouterr()
        assert (code, captured.out) == (2, "")
        assert len(captured.err.splitlines()) == 1
        assert captured.err[:-1].isprintable()
        assert "Traceback" not in captured.err
    after = settings(), contents(maker.watched), contents(maker.folder), contents(tmp_path), peak()
    assert after[:4] == before[:4]
    assert after[4] - before[4] < 1


def test_the_table_is_long():
    assert len(ROWS) >= 40
    assert {kind for kind, _, _ in ROWS.values()} == set(CALLS)


# ---- the same files where the guard is away


def former_load(path, bounds):
    """As the files were opened before they were looked at."""
    return keras.saving.load_model(path, compile=False, safe_mode=True)


def without_sizes(monkeypatch):
    monkeypatch.setattr(limits.Limits, "check", lambda self, spec, examples=1: None)


def without_names(monkeypatch):
    for module in (model_spec.model, benchmarks.commands.common):
        monkeypatch.setattr(module, "check_folder_name", lambda what, name: name)


def writes(call, path, folder):
    call(path)
    return (folder / "written.png").exists()


def sets(call, path, folder):
    before = settings()
    try:
        call(path)
        return settings() != before
    finally:
        keras.config.set_epsilon(before[1])
        keras.config.set_floatx(before[0])


def is_taken(call, path, folder):
    call(path)
    return True


def raises(*kinds):
    def fails(call, path, folder):
        with pytest.raises(kinds) as error:
            call(path)
        return not isinstance(error.value, ValueError)

    return fails  # fmt: skip


def climbs(call, path, folder):
    spec = call(path)
    parent = folder / "one" / "two"
    benchmarks.commands.common.run_directory(parent, f"{spec.name}-training")
    return (folder / "escaped-training").exists()


def turns_red(call, path, folder):
    return "\x1b[31m" in call(path).spec.summary()


def to(name, value):
    """A guard replaced: "module.name" by ``value``."""
    module, _, attribute = name.rpartition(".")
    return lambda monkeypatch: monkeypatch.setattr(importlib.import_module(module), attribute, value)


def np_load(file, size, expansion=1, names=None):
    with np.load(file, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


UNGUARDED = {
    "keras: function that writes a picture": (to("keras_models.reading.files.load_model", former_load), writes),
    "keras: function that sets epsilon": (to("keras_models.reading.files.load_model", former_load), sets),
    "keras: function that sets epsilon, .h5": (to("keras_models.reading.files.load_model", former_load), sets),
    "keras: layer off the way": (to("keras_models.reading.files.load_model", former_load), is_taken),
    "keras: assets": (to("keras_models.reading.archive._ENTRIES", ("config.json", "model.weights.h5", "metadata.json", "assets/x")), is_taken),
    "keras: two configurations": (to("keras_models.reading.files.load_model", former_load), raises(KeyError, ValueError, TypeError)),
    "keras: external storage, .h5": (to("keras_models.reading.hdf5._check_storage", lambda path, dataset: None), is_taken),
    "keras: virtual array, .keras": (to("keras_models.reading.hdf5._check_storage", lambda path, dataset: None), is_taken),
    "keras: compressed zeros, .h5": (to("keras_models.reading.hdf5._NEVER_TOO_LARGE", 2**40), is_taken),
    "npz: padding": (without_sizes, is_taken),
    "npz: windows of a convolution": (without_sizes, is_taken),
    "json: batch": (without_sizes, is_taken),
    "toml: units": (without_sizes, is_taken),
    "toml: name that climbs": (without_names, climbs),
    "npz: name of control characters": (without_names, turns_red),
    "npz: two arrays of one name": (to("model_spec.array_archives.read", np_load), raises(ValueError, KeyError)),
    "json: deep": (to("model_spec.untrusted.parse_json", json.loads), raises(RecursionError)),
    "toml: deep": (to("model_spec.untrusted.check_depth", lambda entry: entry), is_taken),
    "checkpoint: training is a list": (to("model_spec.checkpoints._of", lambda name, value, *kinds: value), raises(AttributeError)),
    "json: options are a list": (to("bridge.saved_cases.isinstance", lambda *pair: True), raises(AttributeError)),
}  # fmt: skip
"""What the first table refuses: (the guard taken away, what is seen then)."""


@pytest.mark.parametrize("row", UNGUARDED)
def test_each_kind_does_harm_without_its_guard(row, maker, tmp_path, monkeypatch):
    kind, make, _ = ROWS[row]
    take_away, harm = UNGUARDED[row]
    monkeypatch.chdir(maker.folder)
    path = make(maker)
    take_away(monkeypatch)
    folder = maker.watched if harm is writes else tmp_path
    assert harm(CALLS[kind], path, folder)
    (maker.watched / "written.png").unlink(missing_ok=True)


PROCESSES = ("keras: function that writes a picture", "npz: padding", "toml: name that climbs")


@pytest.mark.parametrize("row", PROCESSES)
def test_real_processes(row, maker, tmp_path, monkeypatch):
    kind, make, words = ROWS[row]
    monkeypatch.chdir(maker.folder)
    path = make(maker)
    line = [word.format(path) for word in LINES[kind]]
    before = contents(maker.watched)
    done = subprocess.run([sys.executable, "-m", "benchmarks", *line], cwd=tmp_path, capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"})  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert re.search(words, done.stderr.splitlines()[-1])
    assert list(tmp_path.iterdir()) == []
    assert contents(maker.watched) == before
