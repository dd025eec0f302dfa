"""An answer by a model from passages that were found, every quote of it held against them.

Knows nothing about how passages are found or who the model is.
"""

from collections.abc import Sequence

from archipel.chat import ChatService, Message, ServiceError
from archipel.documents.citations import Checked, check_answer
from archipel.documents.language import guess_language
from archipel.documents.passages import Passage
from archipel.documents.prompt import INSTRUCTIONS, NOT_IN_DOCUMENTS, Context, context

_CHARACTERS = 8_000  # of passages
_ANSWER_TOKENS = 1_024
_QUESTION = {"en": "Question:", "fr": "Question :"}


async def answer(
    service: ChatService, model: str, question: str, passages: Sequence[Passage]
) -> Checked:
    """What the model answers, checked. Without a passage none is asked: it is not in the documents.
    Fewer passages are given to a model that takes no more.

    Raises:
        ServiceError: the service can't be reached, refuses, or ends before the answer does.
    """
    language = "fr" if guess_language(question) == "fr" else "en"
    given = context(passages, _CHARACTERS)
    while given.passages:
        try:
            said = await _said(service, model, _prompt(question, given, language))
        except ServiceError as error:
            if error.code != "context_length_exceeded" or len(given.passages) < 2:
                raise
            given = context(passages, len(given.text) // 2)
        else:
            return check_answer(said, given.passages)
    return check_answer(NOT_IN_DOCUMENTS[language], ())


async def _said(service: ChatService, model: str, prompt: str) -> str:
    turns = [Message("user", prompt)]
    deltas = service.stream_chat(turns, model, max_tokens=_ANSWER_TOKENS)
    return "".join([delta.text async for delta in deltas])


def _prompt(question: str, given: Context, language: str) -> str:
    return f"{INSTRUCTIONS[language]}\n\n{given.text}\n\n{_QUESTION[language]} {question}"
