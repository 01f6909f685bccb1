"""What every object of a configuration is held against: plain values, and a class of Keras' own."""

from __future__ import annotations

from typing import Any, NoReturn

from model_spec.names import printable, shown

Entry = dict[str, Any]

_LONGEST_TEXT = 1000
LONGEST_LIST = 1000


def check_identity(
    where: str, entry: Entry, keys: set[str], modules: set[str], classes: set[str] | None = None
) -> None:
    """Refuse an object that says more than its class, or that is somebody's own of that name."""
    class_name = class_name_of(where, entry)
    if classes is not None and class_name not in classes:
        refuse(f"{where}: {shown(class_name)} is not supported; supported are {', '.join(sorted(classes))}")
    only_keys(where, entry, keys)
    module = entry.get("module", next(iter(modules)))
    if not isinstance(module, str) or module not in modules:
        refuse(f"{where}: {shown(class_name)} of module {shown(module)} is not supported; only Keras' own are")
    if entry.get("registered_name") not in (None, class_name):
        refuse(
            f"{where}: {shown(class_name)} is registered as {shown(entry['registered_name'])}; only Keras' own are read"
        )
    if type(entry.get("shared_object_id", 0)) is not int:
        refuse(f"{where}: shared_object_id is {kind_of(entry['shared_object_id'])}, expected an integer")


def only_keys(where: str, entry: Entry, keys: set[str]) -> None:
    """Refuse an entry with any other key: what is not known here may change what the network computes."""
    unknown = [key for key in entry if key not in keys]
    if unknown:
        refuse(f"{where} has {shown(unknown)}, which nothing supported has")


def class_name_of(where: str, entry: Entry) -> str:
    """The class an entry claims to describe."""
    name = entry.get("class_name")
    if not isinstance(name, str):
        refuse(f"{where} has no class_name")
    return name


def as_table(where: str, value: Any) -> Entry:
    """The value, if it is a table."""
    if not isinstance(value, dict):
        refuse(f"{where} must be a table, got {shown(value)}")
    return value


def as_text(where: str, value: Any) -> str:
    """The value, if it is a text of reasonable length."""
    if not isinstance(value, str) or not value or len(value) > _LONGEST_TEXT:
        refuse(f"{where} must be a text of at most {_LONGEST_TEXT} characters, got {shown(value)}")
    return value


def flat_name(name: str) -> str:
    """Keras 2 took a slash in a name, Keras 3 takes none."""
    return name.replace("/", "__")


def as_shape(where: str, value: Any) -> list[int | None]:
    """A shape without its batch axis."""
    sizes = plain_value(where, value)
    if not isinstance(sizes, list) or not sizes or not all(size is None or type(size) is int for size in sizes):
        refuse(f"{where} has the shape {shown(value)}, expected a list of integers")
    return sizes[1:]


def batch_of(value: Any) -> int | None:
    """The first number of a ``batch_shape``; None where any batch may come."""
    size = plain_value("the batch", value)[0]
    return size if type(size) is int else None


def plain_value(where: str, value: Any, depth: int = 4) -> Any:
    """Numbers, texts, and lists of them; tuples as HDF5 files write them become lists."""
    if isinstance(value, dict):
        if set(value) == {"class_name", "items"} and value["class_name"] in ("__tuple__", "TensorShape"):
            value = value["items"]
        else:
            refuse(f"{where} holds an object ({kind_of(value)}); supported are numbers, texts and lists of them")
    if isinstance(value, str):
        return value if not value else as_text(where, value)
    if isinstance(value, list):
        if not depth or len(value) > LONGEST_LIST:
            refuse(f"{where} is a list of {len(value):,} that is too long or too deep")
        return [plain_value(where, part, depth - 1) for part in value]
    return value


def kind_of(value: Any) -> str:
    """How a refused value is named: an object by its class and what it is configured to be."""
    if isinstance(value, dict):
        config = value.get("config")
        name = f" {config}" if isinstance(config, str) else ""
        return printable(f"{value.get('module') or ''} {value.get('class_name', 'table')}{name}".strip()[:200])
    return shown(value)


def refuse(message: str) -> NoReturn:
    """Raise the ValueError that a file is not read."""
    raise ValueError(message)
