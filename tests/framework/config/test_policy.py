"""The shipped policy, and the policies of users."""

from __future__ import annotations

from pathlib import Path

import pytest

from loopcast import config
from loopcast.api import ConfigurationError
from loopcast.cli import plugin_manager

SHIPPED = Path(__file__).resolve().parents[3] / "conf/policy/default.yaml"


def test_the_shipped_policy_grows_with_the_risk() -> None:
    policy = config.compose_policy(plugins=plugin_manager())
    low, medium, high = (policy.classes[name] for name in ("low", "medium", "high"))
    assert low.gates.keys() <= medium.gates.keys() <= high.gates.keys()
    for move in ("staging", "challenger", "canary", "champion"):
        signed = [set(row.sign_offs.get(move, ())) for row in (low, medium, high)]
        assert signed[0] <= signed[1] <= signed[2]
    assert low.release == "automatic"
    assert {medium.release, high.release} == {"proposal"}
    assert high.four_eyes


def test_a_policy_of_a_users_own(tmp_path: Path) -> None:
    (tmp_path / "policy").mkdir()
    text = SHIPPED.read_text().replace("name: default", "name: strict")
    (tmp_path / "policy/strict.yaml").write_text(text.replace("automatic", "proposal"))
    policy = config.compose_policy("strict", plugins=plugin_manager(), folder=tmp_path)
    assert policy.name == "strict"
    assert policy.classes["low"].release == "proposal"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("minor: low", "minor: lwo"), "policy.questions.impact.minor: got 'lwo'; did you mean"),
        (("minor: low, ", ""), "policy.questions: Questionnaire: impact says no class for minor"),
        (("  low:\n", "  lowest:\n"), "policy.classes.lowest: got 'lowest'; did you mean 'low'"),
        (("fairness: {}", "fairnes: {}"), "policy.classes.high.gates.fairnes: gate 'fairnes' is"),
        (
            ("fairness: {}", "fairness: {ration: 0.8}"),
            "policy.classes.high.gates.fairness.ration: unknown key; did you mean 'ratio'?",
        ),
        (("[model_owner]", "model_owner"), "policy.classes.medium.sign_offs.champion: expected"),
        (("name: default", "_target_: os.system\nname: x"), "refused: configuration names things"),
    ],
)
def test_one_line_says_where_and_what_would_be_right(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy/mine.yaml").write_text(SHIPPED.read_text().replace(*change))
    with pytest.raises(ConfigurationError) as caught:
        config.compose_policy("mine", plugins=plugin_manager(), folder=tmp_path)
    assert message in str(caught.value)
    assert "mine.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)
