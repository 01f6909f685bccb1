"""The front door: every public name in one place, ``import crosscheck as cc``. Names load when first asked for.

    cc.compare(spec, x, y)          cc.NumpyModel(spec)          cc.convert("model.keras", "model.npz")

The packages behind it may be imported by their own names as well; docs/stability.md says what may change.
"""

from importlib import import_module

from crosscheck.ours import need_ours

__version__ = "0.2.0"

PUBLIC = {
    "bridge": (
        "Certificate KerasClassifier LayerReport LossReport NoiseFloor NumpyClassifier OptimizerReport ParityReport "
        "TrainingParityReport check_layer check_loss check_optimizer compare compare_models compare_training convert "
        "copy_weights external_training from_autograd from_channels_first from_functions from_jax model_from_layers "
        "model_from_network noise_floor plant random_weights sensitivities"
    ),
    "core_numpy": "GradientReport NumpyModel WeightFileError gradient_check load",
    "keras_models": "KerasModel ReadModel floatx read set_threads",
    "model_spec": (
        "Callback EarlyStopping EpochHook Gradients History Model ModelCheckpoint ModelSpec ReduceLROnPlateau "
        "TrainingSpec load_model model_from_json to_json zoo"
    ),
}
"""The package of each public name. Layers and optimizers are in ``model_spec``, under their Keras names."""

_FUZZING = {"fuzz": "bridge.fuzzing.own_backends", "FuzzReport": "bridge.fuzzing.fuzz_report"}
"""Names that stand here alone, with their module: ``bridge.fuzz`` is a module's former name."""

__all__ = ["__version__", "timing", *_FUZZING, *sorted(" ".join(PUBLIC.values()).split())]


def __getattr__(name: str) -> object:
    """Load the package a public name comes from, and keep the name."""
    for package, names in PUBLIC.items():
        if name in names.split():
            need_ours(package)
            value: object = getattr(import_module(package), name)
            globals()[name] = value
            return value
    if name in _FUZZING:
        need_ours("bridge")
        value = getattr(import_module(_FUZZING[name]), name)
        globals()[name] = value
        return value
    if name == "timing":
        return import_module("crosscheck.timing")
    raise AttributeError(f"module 'crosscheck' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
