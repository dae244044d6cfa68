"""What a version lacks for a move: nothing that is demanded may be forgotten."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from loopcast.api import (
    ConfigurationError,
    GateError,
    Goal,
    PolicyRow,
    RiskAnswers,
    Stage,
)
from loopcast.govern.demands import lacking, next_goal, reviewer
from loopcast.store.catalog import Move, Standing

from ..deploy.versions import ANSWERS, FREE, MODEL, STRICT, policy, signed, validated
from ..store.builders import version

V = version(1)


def standing(stage: Stage = "challenger", **changes: Any) -> Standing:
    """A challenger that has everything the strict row demands."""
    fields: dict[str, Any] = {
        "version": V,
        "stage": stage,
        "share": None,
        "champion": version(0).id,
        "switch": None,
        "validation": validated(V.id),
        "sign_offs": (signed(V.id, "owner", "ann"), signed(V.id, "validator", "bob")),
    }
    return Standing(**(fields | changes))


def lacks(
    found: Standing, row: PolicyRow = STRICT, goal: Goal = "champion", by: str = ""
) -> tuple[str, ...]:
    return lacking(found, goal, MODEL, policy(row), by=by)


def test_with_everything_it_lacks_nothing() -> None:
    assert lacks(standing()) == ()


def test_all_that_is_missing_is_listed_at_once() -> None:
    found = lacking(
        standing("candidate", validation=None, sign_offs=()),
        "champion",
        replace(MODEL, purpose=""),
        policy(STRICT),
    )
    assert len(found) == 5
    assert "it is a candidate; champion is entered from challenger or canary" in found[0]
    assert "logical_model.purpose of demand is empty" in found[1]
    assert f"no validation of the gates size; run 'loopcast validate {V.id}'" in found[2]
    assert "no sign-off by the role owner" in found[3]
    assert f"'loopcast sign {V.id} --role validator --for champion" in found[4]


def test_a_failed_gate_names_its_test_and_what_it_measured() -> None:
    (reason,) = lacks(standing(validation=validated(V.id, passed=False)))
    assert reason == "gate size (bundle) failed: expected at most 10 MB, measured 12 MB"


def test_a_validation_by_other_gates_is_too_old() -> None:
    (reason,) = lacks(standing(validation=validated(V.id, replace(STRICT, gates={"size": {}}))))
    assert "is older than the gates of today's policy; run 'loopcast validate" in reason


def test_other_changes_of_the_policy_leave_a_validation_valid() -> None:
    row = replace(STRICT, documentation=("purpose", "fallback"), monitoring={})
    assert lacks(standing(), row) == ()


def test_a_sign_off_for_another_move_does_not_count() -> None:
    other = replace(signed(V.id, "owner", "ann"), move="canary")
    (reason,) = lacks(standing(sign_offs=(other, signed(V.id, "validator", "bob"))))
    assert "no sign-off by the role owner" in reason


@pytest.mark.parametrize(
    ("second", "by", "expected"),
    [
        ("bob", "cid", ()),
        ("ann", "cid", ("ann signed twice; the policy demands different people",)),
        ("bob", "bob", ("bob signed and releases; the policy demands different people",)),
        (" Ann", "cid", (" Ann signed twice; the policy demands different people",)),
        ("bob", "BOB ", ("bob signed and releases; the policy demands different people",)),
    ],
)
def test_four_eyes(second: str, by: str, expected: tuple[str, ...]) -> None:
    signatures = (signed(V.id, "owner", "ann"), signed(V.id, "validator", second))
    row = replace(STRICT, four_eyes=True)
    assert lacks(standing(sign_offs=signatures), row, by=by) == expected
    assert lacks(standing(sign_offs=signatures), STRICT, by=by) == ()


ALLOWED = {
    ("candidate", "staging"), ("retired", "staging"), ("challenger", "staging"),
    ("canary", "staging"), ("staging", "challenger"), ("canary", "challenger"),
    ("staging", "canary"), ("challenger", "canary"), ("canary", "canary"),
    ("challenger", "champion"), ("canary", "champion"),
}  # fmt: skip


@pytest.mark.parametrize("stage", ["candidate", "staging", "challenger", "canary", "retired"])
@pytest.mark.parametrize("goal", ["staging", "challenger", "canary", "champion"])
def test_one_stage_after_another(stage: Stage, goal: Goal) -> None:
    allowed = (stage, goal) in ALLOWED or stage == goal
    assert (lacks(standing(stage), FREE, goal) == ()) == allowed


def test_where_there_is_no_champion_there_is_none_to_challenge() -> None:
    assert lacks(standing("staging", champion=None), FREE) == ()
    assert lacks(standing("candidate", champion=None), FREE)


def test_the_way_back_is_free() -> None:
    assert lacks(standing("canary", validation=None, sign_offs=()), STRICT, "staging") == ()


def test_the_next_stage() -> None:
    assert next_goal(standing("candidate")) == "staging"
    assert next_goal(standing("retired")) == "staging"
    assert next_goal(standing("staging")) == "challenger"
    assert next_goal(standing("staging", champion=None)) == "champion"
    assert next_goal(standing("canary")) == "champion"
    with pytest.raises(GateError, match="is champion; there is no next stage"):
        next_goal(standing("champion"))


def test_open_questions_are_listed() -> None:
    model = replace(MODEL, risk=RiskAnswers(impact="minor"))
    with pytest.raises(ConfigurationError) as caught:
        lacking(standing(), "champion", model, policy(STRICT))
    assert str(caught.value) == (
        "logical_model.risk of demand: no answer to audience, lifetime, reversibility, "
        "personal_data: the risk class follows from all five"
    )


def test_the_highest_answer_decides() -> None:
    questions = replace(policy(FREE).questions, impact={"minor": "low", "moderate": "medium",
                                                        "severe": "high"})  # fmt: skip
    rules = replace(policy(FREE), questions=questions)
    assert rules.risk_class(ANSWERS) == "low"
    assert rules.risk_class(replace(ANSWERS, impact="moderate")) == "medium"
    assert rules.risk_class(replace(ANSWERS, impact="severe")) == "high"


def test_a_refusal_names_each_version_and_says_that_none_moved() -> None:
    others = [version(number, segment=f"s{number}") for number in range(8)]
    moves = [
        Move(logical_model="demand", segment=v.segment, version=v.id, stage="champion", by="ann",
             reason="r") for v in others
    ]  # fmt: skip
    review = reviewer(moves, {"demand": MODEL}, policy(STRICT))
    found = {v.id: standing(version=v, validation=None) for v in others}
    with pytest.raises(GateError) as caught:
        review(found)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"version {others[0].id} cannot be released:"
    assert "and 3 more versions lack something" in lines
    assert lines[-1] == "none of the 8 versions was moved"
    review({v.id: standing(version=v) for v in others})
