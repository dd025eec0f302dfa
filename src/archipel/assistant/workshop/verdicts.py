"""What the evidence says of a version of the code. Pure."""

from typing import Literal

from archipel.assistant.workshop.checks import Checked

Verdict = Literal[
    "nothing to repair",  # all passed before
    "fixed",
    "still failing",
    "broke something",  # what passed before no longer does
    "not believed",  # it passes, but by other means than being right
    "other results",  # faster or not, it does not give the same
    "must be repaired first",  # it fails as it is, so there is nothing to compare with
    "faster",
    "slower",
    "no gain",
    "no code",  # the model's answer holds none
]
SUCCESS: frozenset[Verdict] = frozenset({"fixed", "faster"})


def verdict_on_checks(before: Checked, after: Checked) -> Verdict | None:
    """What tests and calls say; None if all is well with the new version."""
    if after.doubt:
        return "not believed"
    evaded = {check.name for check in after.checks if check.result == "skipped"}
    evaded -= {check.name for check in before.checks if check.result == "skipped"}
    if after.good and not (evaded and before.checks):
        return None
    passed = {check.name for check in after.checks if check.result == "passed"}
    lost = [c for c in before.checks if c.result == "passed" and c.name not in passed]
    return "broke something" if lost else "still failing"
