"""Labels join and never wash off."""

from hypothesis import given
from hypothesis import strategies as st

from agentcli.core.label import BY_TRUST, CLEAN, Label

labels = st.builds(Label, st.sampled_from(BY_TRUST), st.sampled_from(["public", "private"]))


@given(labels, labels, labels)
def test_a_join_is_the_worst_of_both_in_whatever_order(
    one: Label, two: Label, three: Label
) -> None:
    assert one.join(two) == two.join(one)
    assert one.join(two).join(three) == one.join(two.join(three))
    assert one.join(one) == one == one.join(CLEAN)
    assert one.join(two).is_tainted == (one.is_tainted or two.is_tainted)
    worst = Label()
    assert one.join(worst) == worst, "what was seen of a tool that nobody knows stays"
