from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as some

from loopcast.develop.beyond import Reason, beyond_of


@given(flags=some.arrays(bool, st.tuples(st.integers(1, 20), st.integers(1, 12))))
def test_each_row_has_all_reasons_that_apply_to_it_as_one(flags: np.ndarray) -> None:
    reasons = [Reason(text=str(n), outside=n % 2 == 0, novel=n % 3 == 0) for n in range(len(flags))]
    found = beyond_of(list(zip(reasons, flags, strict=True)), flags.shape[1])
    assert len(set(found.reasons)) == len(found.reasons)
    for own, applies in zip(found.rows(), flags.T, strict=True):
        expected = [reason for reason, does in zip(reasons, applies, strict=True) if does]
        if own is None:
            assert not expected
        else:
            assert own.text == "; ".join(reason.text for reason in expected)
            assert own.outside == any(reason.outside for reason in expected)
            assert own.novel == any(reason.novel for reason in expected)
