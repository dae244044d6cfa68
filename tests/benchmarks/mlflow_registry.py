"""Register versions with MLflow and print the CPU seconds; runs in an environment of its own.

uv run --isolated --no-project --with "mlflow>=3.17" python mlflow_registry.py COUNT FOLDER
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import mlflow
from mlflow.entities import Metric
from mlflow.tracking import MlflowClient

METRICS = ("mape", "rmse", "mae", "pinball", "coverage")


def register(client: MlflowClient, experiment: str, number: int) -> None:
    """One version as MLflow has it: a run with its metrics, and a version of a model."""
    run = client.create_run(experiment, run_name=f"version {number}")
    stamp = int(time.time() * 1000)
    metrics = [Metric(name, 1.0 + number, stamp, 0) for name in METRICS]
    client.log_batch(run.info.run_id, metrics=metrics)
    client.set_terminated(run.info.run_id)
    client.create_model_version("demand", source=run.info.artifact_uri, run_id=run.info.run_id)


def main(count: int, folder: Path) -> None:
    """Prepare the store, which is not measured, and register."""
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    client = MlflowClient()
    experiment = client.create_experiment("demand", artifact_location=str(folder / "artifacts"))
    client.create_registered_model("demand")
    register(client, experiment, -1)
    start = time.process_time()
    for number in range(count):
        register(client, experiment, number)
    seconds = time.process_time() - start
    print(json.dumps({"cpu_s": seconds, "version": mlflow.__version__}))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
