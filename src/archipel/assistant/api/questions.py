"""What the page puts to models, checked, and the message that it becomes."""

from typing import Any

from pydantic import Field

from archipel.assistant.actions.table import Chosen, chosen
from archipel.assistant.api.asked import Asked, Refused
from archipel.assistant.history.messages import Draft
from archipel.assistant.library.taking import Taking
from archipel.assistant.people import Person

PICTURES = 4  # that a question may have, and that a model is given of a conversation
_TEXT_CHARACTERS = 1_000_000
_MODELS = 4  # that answer side by side
_COLLECTIONS = 20  # of documents that a question may be asked of


class Action(Asked):
    """What to do with the text, or with a `document` in its place, whose `file` may be what is to
    come back; fields that are not given have their first choice."""

    name: str
    fields: dict[str, str] = Field(default_factory=dict, max_length=8)
    document: int | None = None
    file: bool = False

    def on(self, characters: int) -> Chosen:
        """The action on a text of so many characters.

        Raises:
            ConfigError: it is not one, or not for this text.
        """
        return chosen(self.name, self.fields, characters)


class Question(Asked):
    """`conversation` is null for a new one, `parent` null for its first message; without an
    `action` the text is a question as it stands, with `documents` one to these collections."""

    conversation: int | None
    parent: int | None
    text: str = Field(default="", max_length=_TEXT_CHARACTERS)
    models: list[str] = Field(min_length=1, max_length=_MODELS)
    action: Action | None = None
    pictures: list[int] = Field(default_factory=list, max_length=PICTURES)
    documents: list[int] = Field(default_factory=list, max_length=_COLLECTIONS)

    async def draft(self, person: Person, taking: Taking) -> Draft:
        """The message that it becomes, with the document's text where an action is done on one.

        Raises:
            ConfigError: the action is not one, or not for this text; the document has none.
            NotFound: the document is not there, or not for the person to read.
            NotAllowed: its file is to come back, and is not theirs to put another beside.
            Refused: text, document and documents are not what goes together.
            DatabaseError: the document can't be read.
        """
        if self.action is not None and self.documents:
            raise Refused(400, "An action is done without documents. Send one of the two.")
        document = self.action.document if self.action else None
        if (document is None) != bool(self.text):
            raise Refused(400, "Send a text, or an action with a document in its place.")
        if self.action is None:
            facts: dict[str, Any] = {"documents": self.documents} if self.documents else {}
            return Draft(role="user", text=self.text, facts=facts)
        if document is None:
            facts = {"action": self.action.on(len(self.text)).facts}
            return Draft(role="user", text=self.text, facts=facts)
        its = self.action.on(0)
        if not its.action.takes_documents:
            raise Refused(400, f"{self.action.name} is not done on documents. Send a text.")
        if self.action.file and not its.action.gives_files:
            raise Refused(400, f"{self.action.name} gives no file back. Ask without `file`.")
        most, file = its.action.characters, self.action.file
        text, taken = await taking.take(person, document, most, file=file)
        return Draft(role="user", text=text, facts={"action": its.facts, **taken.facts})


class Again(Asked):
    """Another answer to a question, of each of these models; of one that has pictures made, others
    `like` this picture."""

    models: list[str] = Field(min_length=1, max_length=_MODELS)
    like: int | None = None
