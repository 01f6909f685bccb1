"""Names of Keras' layers and models as a specification can have them."""

from __future__ import annotations

import re

from model_spec.names import LONGEST

_ROOM_FOR_A_NUMBER = 10


def plain_name(name: str) -> str:
    """A name a specification can have.

    >>> plain_name("conv1/relu"), plain_name("../x"), plain_name("aux")
    ('conv1_relu', 'x', 'model_aux')
    """
    clean = re.sub(r"[^A-Za-z0-9_.\-]", "_", name).lstrip("_.-")[: LONGEST - _ROOM_FOR_A_NUMBER].rstrip(".") or "layer"
    # Names of devices on Windows
    return f"model_{clean}" if re.fullmatch(r"(?i)(con|prn|aux|nul|(com|lpt)[1-9])(\..*)?", clean) else clean


def unique_names(names: list[str]) -> list[str]:
    """The layers' names, with a number behind those that nested models have in common.

    >>> unique_names(["dense", "dense", "a b", "dense_1"])
    ['dense', 'dense_2', 'a_b', 'dense_1']
    """
    given = [plain_name(name) for name in names]
    reserved, taken = set(given), set()
    result = []
    for name in given:
        unique, number = name, 0
        while unique in taken or (number and unique in reserved):
            number += 1
            unique = f"{name}_{number}"
        taken.add(unique)
        result.append(unique)
    return result
