"""Published lists in the order of what is viewed now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loopcast.plugins import PluginManager
from loopcast.serve.lookup import LookUp
from loopcast.serve.session import Sessions
from loopcast.serve.suggestion import Suggestion
from loopcast.store.home import Home

from .nights import EASE, FIRST, POPULAR, SHOPS, plugins, put_shops

__all__ = ["plugins"]

PINNED = {"never sold": 2, "p39": 4}
"""What training never saw, and what it knows, at places from 1."""


@pytest.fixture
def lists(tmp_path: Path, run: Any, home: Home) -> Any:
    """A function that returns the published lists of a shop by a template."""

    def publish(template: str) -> list[Suggestion]:
        put_shops(tmp_path, night=1, names="a")
        rules = [
            {"rule": f"offer {item}", "does": "pin", "item": item, "number": place}
            for item, place in PINNED.items()
        ]
        pd.DataFrame(rules).to_csv(tmp_path / "rules.csv", index=False)
        run("job=train", FIRST, *SHOPS, template)
        run("job=serve", FIRST, *SHOPS, template)
        table = pd.read_parquet(tmp_path / "run" / "rankings.parquet")
        with LookUp(home, "shop") as look_up:
            return [look_up.ask("a", who) for who in table["customer"].unique()]

    return publish


def offers(found: Suggestion) -> dict[str, int]:
    return {item: place for place, item in enumerate(found.items, 1) if item in PINNED}


def free(found: Suggestion) -> list[str]:
    return [item for item in found.items if item not in PINNED]


@pytest.mark.parametrize("template", [POPULAR, EASE])
def test_what_is_pinned_stays_where_the_rule_says(
    lists: Any, home: Home, plugins: PluginManager, template: str
) -> None:
    sessions, moved = Sessions(home, plugins), 0
    for found in lists(template):
        bought = "p39" not in found.items  # pinned by no rule then
        assert offers(found) == ({"never sold": 2} if bought else PINNED)
        assert [np.isnan(score) for score in found.scores] == [i in PINNED for i in found.items]
        assert sessions.adjust(found, []).items == found.items
        viewed = found.items[2]
        adjusted = sessions.adjust(found, [viewed, "never sold", "no product"])
        assert set(adjusted.items) == set(found.items) - {viewed, "never sold"}
        adjusted = sessions.adjust(found, [viewed])
        assert set(adjusted.items) == set(found.items) - {viewed}
        assert offers(adjusted) == offers(found)
        moved += free(adjusted) != [item for item in free(found) if item != viewed]
    assert (moved > 0) == (template == EASE)
