"""What a ranking's version holds: its files, packed from training and unpacked to serve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from loopcast.api import Files, RankData, Ranking, RankQuery, Scenario
from loopcast.api.formats import json_bytes, npz_bytes, read_npz
from loopcast.api.rank import matrix_rows
from loopcast.deploy.frames import frame_bytes, read_frame
from loopcast.deploy.limits import Limits, limits_files
from loopcast.deploy.loaded import MODEL, Packed, not_given_back
from loopcast.develop.applicability import fit_domain
from loopcast.develop.columns import text_array
from loopcast.develop.rank.inputs import entity_columns
from loopcast.develop.rank.query import pairs_matrix, ranked, ranked_again
from loopcast.plugins import calling

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from loopcast.api import Ranker
    from loopcast.develop.contest import Trained
    from loopcast.develop.course import Contender

SCENARIO_FILE = "scenarios/query.npz"
SCENARIO_ENTITIES = 100
"""Entities of a test scenario, evenly spread, and one that was never seen."""

_FEATURES_FILE = "scenarios/features.npz"
_NAMES_FILE = "names.npz"


@dataclass(frozen=True, eq=False, kw_only=True)
class Names:
    """Names behind the codes of a model.

    Attributes
    ----------
    entities, items : LargeStringArray, shapes (entities,) and (items,)
    """

    entities: pa.Array
    items: pa.Array


def pack(
    trained: Trained, candidate: Contender, data: RankData, stand_in: Contender | None = None
) -> Packed:
    """Return the files of a version, and the model that they give back, which ranks the same.

    Parameters
    ----------
    data
        The training data.
    stand_in
        Answers beyond its domain; ``None`` where nothing does.

    Raises
    ------
    IntegrityError
        Where the loaded model ranks otherwise than the fitted one.
    """
    query, name = _scenario(data), candidate.template.name
    with calling(name, "save"):
        saved = dict(trained.model.save())
    expected = ranked(trained.model, query, data.schema, name)
    with calling(name, "load"):
        loaded: Ranker = candidate.template.load(saved)
    again = ranked_again(loaded, query, data.schema, name)
    if not _same(expected, again):
        steady = _same(expected, ranked_again(trained.model, query, data.schema, name))
        places = int((expected.items != again.items).sum())
        how = f"ranks otherwise than the fitted one in {places} places"
        raise not_given_back(name, how, steady=steady)
    files = {
        **{f"{MODEL}{file}": content for file, content in saved.items()},
        _NAMES_FILE: npz_bytes(
            {"entities": data.entities.to_numpy(np.str_), "items": data.items.to_numpy(np.str_)}
        ),
        SCENARIO_FILE: _scenario_bytes(query, expected),
        **_feature_file(query),
        "schema.json": json_bytes(
            {"schema": msgspec.to_builtins(data.schema), "bounds": input_bounds(data)}
        ),
        "evaluation.json": json_bytes(msgspec.to_builtins(trained.evaluations)),
        **limits_files(
            Limits(
                domains={"": fit_domain(entity_columns(data))}, stand_ins={"": trained.stand_in}
            ),
            stand_in,
        ),
    }
    scenario = Scenario(name="", inputs=query, answer=expected, again=again)
    return Packed(files=files, model=loaded, scenario=scenario)


def _same(one: Ranking, two: Ranking) -> bool:
    return np.array_equal(one.items, two.items) and np.array_equal(
        one.scores, two.scores, equal_nan=True
    )


def _scenario(data: RankData) -> RankQuery:
    """Ask for some entities, without what they chose, and for one that was never seen."""
    count = len(data.entities)
    spread = np.linspace(0, count - 1, min(count, SCENARIO_ENTITIES)).round().astype(np.int32)
    entities = np.append(np.unique(spread), -1).astype(np.int32)
    features = data.entity_features
    return RankQuery(
        entities=entities,
        length=data.schema.length,
        allowed=np.ones(len(data.items), dtype=bool),
        excluded=None if data.schema.repeat else matrix_rows(data.choices, entities).sign(),
        entity_features=None if features is None else features.iloc[np.maximum(entities, 0)],
    )


def _scenario_bytes(query: RankQuery, expected: Ranking) -> bytes:
    arrays: dict[str, Any] = {
        "entities": query.entities,
        "items": expected.items,
        "scores": expected.scores,
    }
    if query.excluded is not None:
        each, items = np.diff(query.excluded.indptr), query.excluded.indices
        rows = np.repeat(np.arange(len(each), dtype=np.int32), each)
        arrays |= {"excluded_row": rows, "excluded_item": items.astype(np.int32)}
    return npz_bytes(arrays)


def _feature_file(query: RankQuery) -> dict[str, bytes]:
    features = query.entity_features
    return {} if features is None else {_FEATURES_FILE: frame_bytes(features, {})}


def read_scenario(files: Files) -> tuple[RankQuery, Ranking]:
    """Return the query of the test scenario, and the lists that are expected."""
    arrays = read_npz(files[SCENARIO_FILE])
    count = len(read_names(files).items)
    excluded: sparse.csr_array | None = None
    if "excluded_row" in arrays:
        shape = (len(arrays["entities"]), count)
        excluded = pairs_matrix(arrays["excluded_row"], arrays["excluded_item"], shape)
    query = RankQuery(
        entities=arrays["entities"],
        length=arrays["items"].shape[1],
        allowed=np.ones(count, dtype=bool),
        excluded=excluded,
        entity_features=read_frame(files[_FEATURES_FILE])[0] if _FEATURES_FILE in files else None,
    )
    return query, Ranking(items=arrays["items"], scores=arrays["scores"])


def read_names(files: Files) -> Names:
    """Return the names behind a version's codes."""
    arrays = read_npz(files[_NAMES_FILE])
    return Names(
        entities=pa.array(arrays["entities"], pa.large_string()),
        items=pa.array(arrays["items"], pa.large_string()),
    )


def codes_of(names: pa.Array, wanted: pd.Index) -> NDArray[np.intp]:
    """Return the code of each wanted name; −1 where there is none.

    Parameters
    ----------
    names : LargeStringArray
        By their codes, each once.
    """
    texts = text_array(wanted.array)
    if names.equals(texts):  # as on most nights
        return np.arange(len(texts))
    return np.asarray(pc.index_in(texts, names).fill_null(-1).to_numpy(), np.intp)


def input_bounds(data: RankData) -> dict[str, Any]:
    """Return what training has seen: how many entities and items, and the strengths."""
    return {
        "entities": len(data.entities),
        "items": len(data.items),
        "value": {"minimum": float(data.value.min()), "maximum": float(data.value.max())},
    }
