"""Changes that the comparison of two commits reports."""

import pytest

from benchmarks.compare import change, rows


@pytest.mark.parametrize(
    ("before", "after", "ratio", "is_change"),
    [
        ([10.0, 11.0, 9.0], [20.0, 22.0, 18.0], 2.0, True),
        ([10.0, 11.0, 9.0], [5.0, 5.5, 4.5], 0.5, True),
        ([10.0, 10.0, 10.0], [10.3, 10.3, 10.3], 1.03, False),
        ([10.0, 10.0, 10.0], [9.0, 12.0, 13.0], 1.2, False),
        ([10.0, 10.0, 10.0], [11.0, 12.0, 18.0], 1.2, False),
        ([0.0, 10.0], [0.0, 10.0], 1.0, False),
    ],
    ids=["twice", "half", "too small", "turns disagree", "wider than the change", "nothing"],
)
def test_a_change_is_one_in_which_all_turns_agree_and_that_is_larger_than_their_noise(
    before: list[float], after: list[float], ratio: float, is_change: bool
):
    assert change(before, after) == (pytest.approx(ratio), is_change)


def test_only_figures_that_both_commits_have_are_compared():
    [row] = rows([{"send": 10.0, "old": 1.0}] * 3, [{"send": 20.0, "new": 1.0}] * 3)
    assert [cell.strip() for cell in row] == ["send", "10.0", "20.0", "2.00", "more"]
