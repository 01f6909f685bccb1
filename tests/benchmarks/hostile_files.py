"""Files that try to act, to read, to fill the memory or to forge lines; each is made by hand, none does harm."""

import base64
import copy
import io
import json
import marshal
import warnings
import zipfile

import h5py
import keras
import numpy as np

from core_numpy import NumpyModel
from model_spec import Dense, ModelSpec, TrainingSpec, array_archives, seals, to_dict
from model_spec.fitting import FitData

layers = keras.layers

SMALL = ModelSpec("small", (4,), (Dense(3, activation="softmax"),))
HUGE = 10**12
RED = "a\x1b[31m\nAGREE: everything \u202e"


class Maker:
    """Makes files in a folder; ``watched`` is where the hostile ones try to write."""

    def __init__(self, folder, watched):
        self.folder, self.watched = folder, watched
        inputs = keras.Input((4,), name="x")
        part = keras.Sequential([keras.Input((5,), name="inner_x"), layers.Dense(3, name="last")], name="part")
        model = keras.Model(inputs, part(layers.Dense(5, activation="relu", name="first")(inputs)), name="good")
        model.compile("sgd", "mse")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.save(folder / "good.keras")
            model.save(folder / "good.h5")
            model.save_weights(folder / "good.weights.h5")
        with zipfile.ZipFile(folder / "good.keras") as archive:
            self.entries = {name: archive.read(name) for name in archive.namelist()}
        self.config = json.loads(self.entries["config.json"])
        with h5py.File(folder / "good.h5") as file:
            self.old_config = json.loads(file.attrs["model_config"])

    # ---- files of Keras

    def keras(self, change, old=False):
        """A .keras (or .h5) file whose configuration ``change`` has changed in place, or made anew."""
        config = copy.deepcopy(self.old_config if old else self.config)
        config = change(config) or config
        if not old:
            return self.zip(
                [(name, self.entries[name]) for name in self.entries if name != "config.json"]
                + [("config.json", json.dumps(config))]
            )
        path = self.folder / "hostile.h5"
        path.write_bytes((self.folder / "good.h5").read_bytes())
        with h5py.File(path, "a") as file:
            del file.attrs["model_config"]
            file.attrs["model_config"] = json.dumps(config)
        return path

    def zip(self, entries, method=zipfile.ZIP_STORED, name="hostile.keras"):
        path = self.folder / name
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of two entries of one name
            with zipfile.ZipFile(path, "w", method) as archive:
                for entry, content in entries:
                    archive.writestr(entry, content)
        return path

    def whole_zip(self, *more, **options):
        return self.zip([*self.entries.items(), *more], **options)

    def hdf5(self, change, kind="keras"):
        """A file whose HDF5 part ``change`` has changed: in a .keras, a .h5 or a .weights.h5 file."""
        source = {"keras": self.entries["model.weights.h5"]}.get(kind) or (self.folder / f"good.{kind}").read_bytes()
        content = io.BytesIO(source)
        with h5py.File(content, "a") as file:
            change(file)
        if kind == "keras":
            return self.zip({**self.entries, "model.weights.h5": content.getvalue()}.items())
        path = self.folder / f"hostile.{kind}"
        path.write_bytes(content.getvalue())
        return path

    def on_constant(self, module, function, inputs, arguments, class_name="Lambda"):
        """A layer beside the network that calls a function on a constant while the file is loaded."""
        named = {"module": module, "class_name": "function", "config": function, "registered_name": "function"}
        config = {"name": f"{function}_", "arguments": arguments, "function": named}
        node = {"args": [], "kwargs": {"inputs": inputs}}
        layer = {"module": "keras.layers", "class_name": class_name, "config": config, "registered_name": None}
        return lambda whole: whole["config"]["layers"].insert(
            1, {**layer, "name": f"{function}_", "inbound_nodes": [node]}
        )

    def gallery(self):
        """Writes a picture: no function of Keras' list of forbidden ones."""
        pictures = {"class_name": "__numpy__", "config": {"value": np.zeros((4, 8, 8, 3)).tolist(), "dtype": "float32"}}
        options = {"path": str(self.watched / "written.png"), "value_range": [0, 255], "rows": 2, "cols": 2}
        return self.on_constant("keras.visualization", "plot_image_gallery", pictures, options)

    def lambda_code(self):
        """Python code that writes a file, as Keras packs it."""
        code = compile(f"open({str(self.watched / 'written')!r}, 'w').close()", "f", "exec")
        return base64.b64encode(marshal.dumps(code)).decode()

    def beside(self, module, class_name, /, **config):
        """A layer between the first and the last."""

        def change(whole):
            entry = {
                "module": module,
                "class_name": class_name,
                "config": {"name": "it", **config},
                "registered_name": None,
            }
            nested(whole)["layers"].insert(1, entry)

        return change

    # ---- files of our own

    def npz(self, spec=None, arrays=None, meta=None, method=zipfile.ZIP_STORED, sums=True, twice=None):
        """A sealed weight file that says what is given."""
        arrays = NumpyModel(SMALL).weights if arrays is None else arrays
        from model_spec.weight_files import _checksum

        entry = {
            "version": 2,
            "spec": to_dict(SMALL) if spec is None else spec,
            "backend": "numpy",
            "dtype": "float32",
            "sha256": {n: _checksum(a) for n, a in arrays.items()} if sums else {},
        }
        text = meta if isinstance(meta, bytes) else json.dumps(entry | (meta or {})).encode()
        content = io.BytesIO()
        with warnings.catch_warnings(), zipfile.ZipFile(content, "w", method) as archive:
            warnings.simplefilter("ignore")  # of two entries of one name
            entries = [("__meta__", np.frombuffer(text, np.uint8)), *arrays.items()]
            for name, value in entries + [(name, arrays[name]) for name in arrays if name == twice]:
                part = io.BytesIO()
                np.lib.format.write_array(part, value, allow_pickle=True)
                archive.writestr(f"{name}.npy", part.getvalue())
        return self.write("hostile.npz", seals.sealed(content))

    def raw_npz(self, *entries, method=zipfile.ZIP_STORED):
        """A sealed archive of these entries."""
        content = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with zipfile.ZipFile(content, "w", method) as archive:
                for name, value in entries:
                    archive.writestr(name, value)
        return self.write("hostile.npz", seals.sealed(content))

    def write(self, name, content):
        path = self.folder / name
        path.unlink(missing_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
        return path

    def case(self, **changes):
        """A saved case of the fuzzer."""
        case = {
            "spec": to_dict(SMALL),
            "batch": 2,
            "seed": 1,
            "loss": {"type": "MeanSquaredError"},
            "data": "normal",
            "one_hot": False,
        }
        options = {"dtypes": ["float64"], "paths": ["eager"], "fault": None}
        whole = {"case": case, "options": options, "report": None, "error": None}
        for name, value in changes.items():
            part = next(part for part in (case, options, whole) if name in part)
            part[name] = value
        return self.write("case.json", json.dumps(whole))

    def toml(self, name="net", layers="", shape="[8, 8, 1]", more=""):
        text = f"name = {json.dumps(name)}\ninput_shape = {shape}\n{more}{layers}"
        end = '[[layers]]\ntype = "Flatten"\n[[layers]]\ntype = "Dense"\nunits = 10\nactivation = "softmax"\n'
        return self.write("hostile.toml", text + end)

    def checkpoint(self, **changes):
        """A checkpoint of ``SMALL`` with these entries changed."""
        from model_spec import checkpoints

        model, training = NumpyModel(SMALL), TrainingSpec()
        model.start_training(training)
        path = self.folder / "hostile.npz"
        path.unlink(missing_ok=True)
        data = checkpoints.fingerprint(FitData(*DATA, None, None))
        checkpoints.save(path, model, "numpy", training, checkpoints.Progress(data), ())
        with open(path, "rb") as file:
            arrays = array_archives.read(file, path.stat().st_size)
        meta = json.loads(arrays.pop("__meta__").tobytes())
        meta["checkpoint"] |= changes
        return self.npz(arrays=arrays, meta=json.dumps(meta).encode())


DATA = np.zeros((4, 4), np.float32), np.zeros(4, np.int64)


def nested(whole):
    """The configuration of the Sequential inside the good model."""
    return whole["config"]["layers"][-1]["config"]


def first(whole):
    """The first Dense layer's entry."""
    return whole["config"]["layers"][1]


def setting(**options):
    """Change options of the first Dense layer."""
    return lambda whole: first(whole)["config"].update(options)


def object_of(module, class_name, config=None, **more):
    return {"module": module, "class_name": class_name, "config": config or {}, "registered_name": None} | more


def deep(levels):
    return "[" * levels + "]" * levels


def layer_of(kind, **options):
    return f'[[layers]]\ntype = "{kind}"\n' + "".join(
        f"{name} = {json.dumps(value)}\n" for name, value in options.items()
    )


def spec_of(*members, shape=(4,), name="small"):
    return {"version": 1, "name": name, "input_shape": list(shape), "layers": list(members)}
