from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from loopcast.api import NotFoundError, RankSchema, Reader
from loopcast.develop.rank.prepare import fingerprint, prepare_rank
from loopcast.develop.source import Batch, Source, source_of
from loopcast.settings import DataSettings, RankTable
from loopcast.store.readers.parquet import ParquetReader
from loopcast.store.readers.text import CsvReader

from ..examples import sales

SCHEMA = RankSchema(entity="customer", item="product", time="sold", length=5)
READERS: dict[str, Reader] = {"csv": CsvReader(), "parquet": ParquetReader()}


def source(folder: Path, table: pd.DataFrame, reader: str) -> Source:
    """Write a family as a file, and return where it is."""
    path = folder / f"family.{reader}"
    if reader == "csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path, row_group_size=170)
    settings = DataSettings(
        name="sales",
        reader=reader,
        options={"path": path.name},
        table=RankTable(segment="shop"),
    )
    return source_of(settings, READERS[reader], folder)


@pytest.fixture
def family() -> pd.DataFrame:
    shops = [sales(100 + 20 * seed, seed=seed).assign(shop=f"s{seed}") for seed in (3, 1, 2)]
    return pd.concat(shops, ignore_index=True)


def fingerprints(batch: Batch) -> dict[str, str]:
    return {
        name: fingerprint(prepare_rank(table, RankTable(), SCHEMA, batch.describe(name)).data)
        for name, table in batch.tables()
    }


@pytest.mark.parametrize("order", ["by segment", "by time"])
def test_a_segment_is_the_same_from_any_file_alone_or_in_a_batch(
    tmp_path: Path, family: pd.DataFrame, order: str
) -> None:
    table = family if order == "by segment" else family.sort_values("sold", kind="stable")
    expected: dict[str, Any] = {
        str(shop): fingerprint(prepare_rank(rows, RankTable(), SCHEMA, "").data)
        for shop, rows in table.groupby("shop")
    }
    for reader in READERS:
        [batch] = source(tmp_path, table, reader).batches()
        assert fingerprints(batch) == expected
        assert fingerprints(batch.without({"s1", "s3"})) == {"s2": expected["s2"]}
        assert not fingerprints(batch.without({"s1", "s2", "s3"}))


@pytest.mark.parametrize("reader", READERS)
def test_one_segment_is_read_by_its_name(tmp_path: Path, family: pd.DataFrame, reader: str) -> None:
    place = source(tmp_path, family, reader)
    table, text = place.segment("s3")
    assert (len(table), text) == (160, f"family.{reader}, segment s3")
    with pytest.raises(NotFoundError, match="has no rows of segment 's9' any more"):
        place.segment("s9")
