from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from loopcast_recommender.history.search import highest, uphill

VALUES = st.lists(st.integers(0, 50), min_size=1, max_size=12, unique=True)


@given(values=VALUES, peak=st.integers(0, 11), start=st.integers(0, 11))
def test_a_single_top_is_found_from_anywhere(values: list[int], peak: int, start: int) -> None:
    count = len(values)
    peak %= count
    height = sorted(values)
    hill = [*height[:peak], height[-1], *reversed(height[peak:-1])]
    places = list(range(count))
    found = uphill(places, lambda place: hill[place], start % count)
    assert hill[found] == max(hill)
    assert highest(places, lambda place: hill[place]) == found


def test_of_five_options_with_the_best_in_the_middle_three_are_tried() -> None:
    tried = set()

    def value(option: int) -> float:
        tried.add(option)
        return -abs(option - 2)

    assert uphill(range(5), value, start=2) == 2
    assert tried == {1, 2, 3}
    assert uphill(range(5), lambda _: 1.0, start=2) == 2  # a plain has no way up
