from __future__ import annotations

import numpy as np
import pyarrow as pa

from loopcast.api import Ranking
from loopcast.serve import places
from loopcast.serve.listed import Listed
from loopcast.serve.lists import as_texts
from loopcast.serve.treatment import Said
from loopcast.serve.under_rules import NO_EFFECTS

NAMES = pa.array(["tea", "pot", "cup"], pa.large_string())


def test_empty_places_are_left_out_wherever_they_are_in_a_list() -> None:
    items = np.array([[-1, 2, 0], [1, -1, 2], [-1, -1, -1], [0, 1, 2]], np.int32)
    scores = np.where(items < 0, np.nan, np.arange(12).reshape(4, 3)).astype(np.float32)
    made = places.filled(Ranking(items=items, scores=scores), NAMES, np.array([0, 2, 3, 4]))
    assert made.row.tolist() == [0, 0, 2, 2, 4, 4, 4]
    assert made.place.tolist() == [2, 3, 1, 3, 1, 2, 3]
    listed = Listed(
        sizes=(5,),
        entity=pa.array(["ann", "bob", "cid", "dan", ""], pa.large_string()),
        versions=("champ",),
        version=np.zeros(5, np.intp),
        said=(Said("served", None),),
        code=np.zeros(5, np.intp),
        found=places.joined([made, places.unanswered(np.array([1]))]),
        effects=NO_EFFECTS,
    )
    lists = as_texts(listed, ["acme"])
    assert lists.items.to_pylist() == ["cup\ntea", None, "pot\ncup", "", "tea\npot\ncup"]
    assert lists.counts.tolist() == [2, 0, 2, 0, 3]
    assert lists.scores.tolist() == [1, 2, 3, 5, 9, 10, 11]
