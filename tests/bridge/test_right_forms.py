"""Right forms pass, their wrong twins are refused: two seeds each; ``python -m tests.bridge.right_forms`` tries 100."""

import numpy as np
import pytest

from tests.bridge.right_forms import BEHIND, forms

FORMS = forms()


def test_there_are_enough():
    assert len(FORMS) >= 100


@pytest.mark.parametrize("name", list(FORMS))
def test_a_right_form_passes(name):
    with np.errstate(all="ignore"):
        for seed in range(2):
            report = FORMS[name](seed)
            assert report.passed, str(report)


@pytest.mark.parametrize("name", list(FORMS))
def test_one_step_beyond_is_refused(name):
    with np.errstate(all="ignore"):
        assert not FORMS[name](0, 300.0).passed
        assert not FORMS[name](0, behind=BEHIND).passed
