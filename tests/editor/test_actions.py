"""What of a model's answer takes the place of code."""

import pytest

from archipel.editor.actions import code_in, name_of_tests, question

CODE = "    def f(self):\n        return 1\n"


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (
            "Here:\n```python\ndef f(self):\n    return 2\n```\nDone.",
            "    def f(self):\n        return 2\n",
        ),
        ("```\n    def f(self): ...\n```", "    def f(self): ...\n"),
        (
            "<<<<<<< SEARCH\n    return 1\n=======\n    return 3\n>>>>>>> REPLACE",
            "    def f(self):\n        return 3\n",
        ),
        ("<<<<<<< SEARCH\n    return 9\n=======\n    return 3\n>>>>>>> REPLACE", None),
        ("I see no mistake.", None),
        ("```python\n```", None),
    ],
)
def test_an_answers_code_is_indented_as_the_code_that_it_replaces(
    answer: str, found: str | None
) -> None:
    assert code_in(answer, CODE) == found


def test_code_with_fences_of_its_own_is_asked_in_a_longer_fence() -> None:
    [message] = question("explain", 'x = """```"""', "python", "x.py")
    assert "`````python\n" in str(message.content)


def test_tests_are_named_as_their_language_has_it() -> None:
    assert name_of_tests("shop.py") == "test_shop.py"
    assert name_of_tests("shop.ts") == "shop.test.ts"
    assert name_of_tests("Makefile") == "Makefile.test"
