"""Files of Keras that are refused: configurations, arrays in HDF5, zip archives; with the words of each answer."""

import struct
import zipfile

import h5py
import keras
import numpy as np

from tests.benchmarks.hostile_files import HUGE, RED, Maker, deep, first, nested, object_of, setting

NOT_SUPPORTED = "this layer is not supported; supported are Dense, Conv2D"


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
        lambda m: m.beside(
            "keras.layers", "Lambda", function=object_of(None, "__lambda__", {"value": m.lambda_code()})
        ),
        r"layer 'it' \(Lambda\)",
    ),
    "any function of any module": (lambda m: m.on_constant("os", "system", "true", {}), r"'system_' \(Lambda\)"),
    "unsafe deserialization": (
        lambda m: m.on_constant("keras.config", "enable_unsafe_deserialization", {}, {}),
        r"'enable_unsafe_deserialization_' \(Lambda\)",
    ),
    "global attribute": (
        lambda m: m.on_constant(
            "keras.src.backend.common.global_state", "set_global_attribute", "safe_mode_saving", {}
        ),
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
    "function as activation": (
        lambda m: setting(activation=a_function("set_epsilon")),
        "keras.config function set_eps",
    ),
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
    "function as constraint": (
        lambda m: setting(kernel_constraint=a_function("set_epsilon")),
        "kernel_constraint keras.config function set_epsilon is not",
    ),
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
        lambda m: (
            lambda whole: first(whole).update(inbound_nodes=[{"args": [object_of(None, "__numpy__")], "kwargs": {}}])
        ),
        r"has \['module', 'registered_name'\]",
    ),
    "compiled inside": (
        lambda m: (
            lambda whole: whole["config"]["layers"][-1].update(compile_config={"loss": a_function("set_epsilon")})
        ),
        "model 'part' was compiled",
    ),
    # Shapes of layers
    "layer off the way": (
        lambda m: lambda whole: whole["config"]["layers"].append(dict(first(whole), name="aside")),
        r"layer 'aside' \(Dense\) is off the way from input to output",
    ),
    "layers in a ring": (
        lambda m: (
            lambda whole: first(whole)["inbound_nodes"][0]["args"][0]["config"].update(keras_history=["part", 0, 0])
        ),
        "no way leads from its input",
    ),
    "two layers of one name": (lambda m: lambda whole: whole["config"]["layers"].append(first(whole)), "two layers"),
    "name that climbs": (lambda m: lambda w: w.update(config=dict(w["config"], name="../../x")), None),
    "name of control characters": (lambda m: lambda w: w.update(class_name=RED), r"\\x1b\[31m\\nAGREE"),
    # Sizes
    "units": (lambda m: setting(units=HUGE), "one prediction of model 'good' takes 3.638 TiB"),
    "units of a part": (
        lambda m: lambda w: nested(w)["layers"][1]["config"].update(units=2**26),
        "the variables of model 'good' take 1.5 GiB",
    ),
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
    "variables of an option": (lambda m: setting(lora_rank=10**9), "lora_rank=1000000000 is not supported"),
    "variables of a precision": (lambda m: setting(dtype="int8_from_float32"), "dtype='int8_from_float32' is not supp"),
    "text comes in": (
        lambda m: lambda whole: whole["config"]["layers"][0]["config"].update(dtype="string"),
        r"\(InputLayer\) takes 'string'",
    ),
    "compiled with a function": (
        lambda m: lambda w: w.update(compile_config={"loss": a_function("set_epsilon")}),
        None,
    ),
    "more weights than the file holds": (
        lambda m: lambda whole: nested(whole)["layers"][1]["config"].update(units=5000),
        "its layers have 30,025 weights, it holds",
    ),
    "many layers": (lambda m: lambda whole: nested(whole)["layers"].extend([{}] * 2000), "has 2,002 layers"),
    "deep": (lambda m: lambda whole: first(whole)["config"].update(units=[[[[[[[1]]]]]]]), "too long or too deep"),
}

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

    return change


def dataset(**options):
    def change(file):
        if "vars" in file:
            del file["vars"]
        file.create_dataset("vars", **options)

    return change


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
    "large chunks": (dataset(shape=(8,), maxshape=(None,), dtype="f4", chunks=(10**8,)), "claim 400,00.*'vars'"),
    "compressed zeros": (dataset(data=np.zeros((5000, 50)), compression="gzip"), r"'vars' is packed \(filter 1\)"),
    "group in itself": (ring, "'ring' is another name"),
    "deep groups": (very_deep, "nested more than 50 deep"),
    "text": (text_weights, "'words' holds object"),
    "named type": (committed, "'kind' is a Datatype"),
    "plug-in filter": (dataset(shape=(8,), dtype="f4", chunks=(8,), compression="lzf"), r"packed \(filter 32000\)"),
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
    "two configurations": (lambda m: m.whole_zip(("config.json", m.entries["config.json"])), "once each"),
    "link": (linked, "config.json is a link"),
    "large configuration": (
        lambda m: m.zip(
            [*m.entries.items()][2:] + [("config.json", b" " * 50_000_000), *[*m.entries.items()][:1]],
            zipfile.ZIP_DEFLATED,
        ),
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
}
