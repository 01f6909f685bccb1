"""Files of our own kinds that are refused: models, checkpoints, cases, TOML, pictures; with the words of answers."""

import os
import struct
import zipfile
import zlib

import numpy as np

from tests.benchmarks.hostile_files import HUGE, RED, deep, layer_of, spec_of

DENSE = {"type": "Dense", "units": 3}
PADDING = {"type": "ZeroPadding2D", "padding": 30000}
POOL = {"type": "GlobalMaxPooling2D"}


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


IMAGE_WEIGHTS = {"dense/kernel": np.zeros((1, 3), np.float32), "dense/bias": np.zeros(3, np.float32)}
KERNEL = {"conv/kernel": np.zeros((300, 300, 1, 1), np.float32), "conv/bias": np.zeros(1, np.float32)}

MODELS = {
    "padding": (
        lambda m: m.npz(image(PADDING), IMAGE_WEIGHTS),
        "takes 13.41 GiB in float32, most of it at 'zero_padding2d'",
    ),
    "windows of a convolution": (
        lambda m: m.npz(
            spec_of(
                {"type": "Conv2D", "filters": 1, "kernel_size": 300, "name": "conv"}, POOL, DENSE, shape=(900, 900, 1)
            ),
            KERNEL | IMAGE_WEIGHTS,
        ),
        "most of it at 'conv', 121.1 GiB",
    ),
    "windows of a pooling": (
        lambda m: m.npz(
            image(
                {"type": "ZeroPadding2D", "padding": 500},
                {"type": "MaxPooling2D", "pool_size": 500, "strides": 1, "padding": "same"},
            )
        ),
        "most of it at 'max_pooling2d'",
    ),
    "border of a convolution": (
        lambda m: m.npz(
            image({"type": "Conv2D", "filters": 1, "kernel_size": 3, "dilation_rate": 2**33, "padding": "same"})
        ),
        "most of it at 'conv2d', more than 1000 EiB",
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
    "header of another size": (
        lambda m: m.raw_npz(("a.npy", array_header((HUGE,)))),
        r"claims shape \(1000000000000,\)",
    ),
    "header of negative size": (lambda m: m.raw_npz(("a.npy", array_header((-1, -4)))), r"claims shape \(-1, -4\)"),
    "header of code": (lambda m: m.raw_npz(("a.npy", array_header("__import__('os')"))), "is no array of NumPy's"),
    "two arrays of one name": (lambda m: m.npz(twice="dense/bias"), "two entries 'dense/bias'"),
    "overlapping entries": (overlapping, "entries claim"),
    "compressed zeros": (
        lambda m: m.raw_npz(("a.npy", array_header((10**8,), data=bytes(10**8))), method=zipfile.ZIP_DEFLATED),
        "claim to be larger than the file",
    ),
    "pipe": (lambda m: pipe(m, "hostile.npz"), "a device or a pipe"),
    "device": (lambda m: device(m, "hostile.npz"), "a device or a pipe"),
}

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
    "fault is a table": (lambda m: m.case(fault={}), "fault, error and side must be text"),
    "loss is a layer": (lambda m: m.case(loss=DENSE), "loss must be a loss"),
    "report is a number": (lambda m: m.case(report=3), "report must be a table"),
    "deep": (lambda m: m.write("case.json", deep(10**5)), "nested"),
    "seed is text": (lambda m: m.case(seed="1"), "seed must be an integer"),
    "device": (lambda m: device(m, "case.json"), "a device or a pipe"),
}

TABLES = {
    "padding": (
        lambda m: m.toml(layers=layer_of("ZeroPadding2D", padding=30000) + layer_of("GlobalMaxPooling2D")),
        "GiB",
    ),
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
    "deep": (lambda m: m.toml(more=f"a = {deep(10**4)}\n"), "nested"),
    "deep keys": (lambda m: m.toml(more=f"{'.'.join('a' * 500)} = 1\n"), "nested"),
    "large": (lambda m: m.toml(more="# " + "a" * 2_000_000 + "\n"), "at most 262,144 are read"),
    "shape is text": (lambda m: m.toml(shape='"large"'), "input_shape must be a tuple"),
    "infinite": (lambda m: m.toml(layers=layer_of("Rescaling") + "scale = inf\n"), "scale must be a finite number"),
    "pipe": (lambda m: pipe(m, "hostile.toml"), "a device or a pipe"),
}


def picture(width, height, content=b""):
    """A PNG that claims this size."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(content)) + chunk(b"IEND", b"")


PICTURES = {
    "size": (lambda m: m.write("hostile.png", picture(60_000, 60_000)), "decompression bomb"),
    "cut short": (lambda m: m.write("hostile.png", picture(8, 8)[:-20]), "hostile.png"),
    "something else": (lambda m: m.write("hostile.png", "#!/bin/sh\n"), "hostile.png"),
    "device": (lambda m: device(m, "hostile.png"), "hostile.png"),
}
