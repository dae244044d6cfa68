"""What the page on forecasts of one's own data shows is a configuration that runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

PAGE = Path(__file__).resolve().parents[2] / "docs" / "forecasts.md"
FILE = re.compile(r"^`(\w+/\w+\.yaml)`:\n\n```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHORT = (
    "template=forecasting.seasonal_naive",
    "template.hyperparameters.season=1D",
    "backtest={origins: 2, calibration: 2, every: 1, refit_every: 4}",
)


def export(path: Path) -> pd.DatetimeIndex:
    """Write two feeders over a change of clocks, as an office program would; one began late."""
    times = pd.date_range(
        "2024-09-20", "2024-11-01", freq="1h", tz="Europe/Berlin", inclusive="left"
    )
    ahead = pd.Timestamp("2024-10-31", tz="Europe/Berlin")
    level = np.arange(len(times)) / 10  # so that yesterday is nearer than last week
    frames = [
        pd.DataFrame(
            {
                "Zeitstempel": times.strftime("%d.%m.%Y %H:%M"),
                "Messstelle": name,
                "Leistung kW": np.where(times < ahead, size + level, np.nan),
                "Temperatur": 10.5,
            }
        )
        for name, size in (("Nord", -40.0), ("Süd-2", 100.0))
    ]
    table = pd.concat([frames[0], frames[1].iloc[10:]])
    table.to_csv(path, sep=";", decimal=",", index=False, encoding="cp1252")
    return times


def test_the_configuration_of_the_page_forecasts(tmp_path: Path) -> None:
    files = dict(FILE.findall(PAGE.read_text()))
    assert set(files) == {"data/feeders.yaml", "logical_model/feeder_demand.yaml"}
    for name, text in files.items():
        (tmp_path / "conf" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "conf" / name).write_text(text)
    times = export(tmp_path / "feeders.csv")
    result = subprocess.run(
        [Path(sys.executable).with_name("loopcast"), "run", "logical_model=feeder_demand", *SHORT],
        cwd=tmp_path,
        env=os.environ | {"LOOPCAST_CONFIG_DIR": "conf", "LOOPCAST_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "stage: champion" in result.stdout
    [written] = (tmp_path / "home").glob("runs/feeder_demand/*/forecast.parquet")
    forecast = pd.read_parquet(written)
    hours = forecast[forecast["step"] == "1h"].pivot(index="time", columns="series", values="mean")
    assert hours.index.equals(times[-24:].rename("time"))
    np.testing.assert_allclose(hours["All"], hours["Nord"] + hours["Süd-2"])
