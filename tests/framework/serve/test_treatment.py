"""What is said of rows beyond the domain: the summary and the terminal count as pages do."""

from __future__ import annotations

import numpy as np
import pandas as pd

from loopcast.serve.treatment import (
    Said,
    about_said,
    about_treatment,
    total_treatment,
    treatment_line,
)

ODD = "unusual combination of values"
SAID = (
    Said("flagged", ODD),
    Said("person", f"Home of a new category; {ODD}"),
    Said("served", None),
)
CODE = np.array([0, 0, 1, 2, 2, 2])
COUNTED = {
    "actions": {"served": 3, "flagged": 2, "person": 1},
    "reasons": {ODD: 3, "Home of a new category": 1},
}


def test_a_row_counts_for_each_of_its_reasons() -> None:
    actions, reasons = zip(*(SAID[code] for code in CODE), strict=True)
    rows = pd.DataFrame({"action": actions, "reason": reasons})
    assert about_treatment(rows) == about_said(SAID, CODE) == COUNTED
    total = total_treatment([COUNTED, COUNTED])
    assert total["reasons"] == {ODD: 6, "Home of a new category": 2}
    assert treatment_line(COUNTED) == (
        f"3 of 6 rows are unlike the training: 2 flagged, 1 given to a person; most often (3) {ODD}"
    )
