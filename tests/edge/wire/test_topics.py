from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopcast_edge.wire import WireError, topics

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", fullmatch=True)


@given(NAMES, st.sampled_from(topics.UPWARD))
def test_a_topic_tells_its_device(name: str, channel: topics.Upward) -> None:
    assert topics.origin(topics.device(name, channel)) == (name, channel)


@pytest.mark.parametrize(
    "name", ["", "a/b", "#", "a+", "-a", "a b", "é", "a\n", "$SYS", "a" * 65, "../x"]
)
def test_a_name_that_reaches_beyond_its_own_topics_is_refused(name: str) -> None:
    with pytest.raises(WireError, match="device name"):
        topics.device(name, "desired")


@pytest.mark.parametrize(
    "topic",
    [
        "loopcast/1/device/a/desired",
        "loopcast/2/device/a/presence",
        "loopcast/1/device/a/presence/",
        "loopcast/1/device/-/presence",
        "loopcast/1/device/a/up/other",
        "loopcast/1/keys",
        "",
    ],
)
def test_other_topics_are_no_device_s(topic: str) -> None:
    with pytest.raises(WireError):
        topics.origin(topic)


def test_files_and_their_differences_have_topics_of_their_own() -> None:
    one, two = "a" * 64, "b" * 64
    assert topics.chunk(one, 3) == f"loopcast/1/file/{one}/chunk/3"
    assert topics.index(one, base=two) == f"loopcast/1/file/{one}/from/{two}/index"
    with pytest.raises(WireError, match="64 hexadecimal digits"):
        topics.manifest("A" * 64)


def test_who_asks_to_be_enrolled_is_told_from_the_topic_and_from_no_other() -> None:
    visitor = "0f" * 16
    assert topics.visitor(topics.enrolment(visitor, "request")) == visitor
    for topic in (
        topics.enrolment(visitor, "answer"),
        topics.enrolment("+", "request"),
        topics.enrolment(f"{visitor}/a", "request"),
        topics.enrolment("0F" * 16, "request"),
        topics.device("meter-7", "up/renewal"),
    ):
        with pytest.raises(WireError, match="asks to be enrolled"):
            topics.visitor(topic)
