"""Conversations, their trees, folders, links and search: what an owner sees, and nobody else."""

import pytest

from archipel.assistant.history import conversations, folders, messages, search, sharing
from archipel.assistant.history.conversations import Before
from archipel.assistant.history.messages import Draft
from archipel.assistant.history.opened import open_history
from archipel.database import Database
from archipel.errors import ConfigError, NotFound

ANA, BEN = "ana", "ben"


def told(history: Database, owner: str, *texts: str, now: float = 1.0, title: str = "") -> int:
    """A conversation with these messages in turn; gives its id."""
    with history.writing() as connection:
        id_, parent = conversations.begin(connection, owner, now, title), None
        for place, text in enumerate(texts):
            role = "assistant" if place % 2 else "user"
            parent = messages.add(connection, id_, parent, Draft(role=role, text=text), now).id
    return id_


def found(history: Database, owner: str, words: str) -> list[tuple[int, int | None]]:
    with history.reading() as connection:
        hits = search.search(connection, owner, words, 30)
    return [(hit.conversation, hit.message) for hit in hits]


def test_what_was_said_is_there_after_it_is_opened_again(history: Database, url: str) -> None:
    id_ = told(history, ANA, "Où est l'école ? 🏫", "Là-bas.")
    history.close()
    again = open_history(url)
    with again.reading() as connection:
        tree = messages.all_of(connection, ANA, id_)
        shown = conversations.find(connection, ANA, id_).shown
    again.close()
    assert [(one.role, one.text) for one in tree] == [
        ("user", "Où est l'école ? 🏫"),
        ("assistant", "Là-bas."),
    ]
    assert tree[1].parent == tree[0].id
    assert shown == tree[1].id


def test_the_list_goes_on_where_a_page_ended_also_at_equal_times(history: Database) -> None:
    ids = [told(history, ANA, "hello", now=now) for now in (1.0, 2.0, 2.0, 2.0, 3.0)]
    told(history, BEN, "hello", now=9.0)
    listed, before = [], None
    with history.reading() as connection:
        while page := conversations.listed(connection, ANA, 2, before):
            listed += [one.id for one in page]
            before = Before(page[-1].changed, page[-1].id)
    assert listed == ids[::-1]


def test_a_name_or_a_pin_moves_nothing_and_a_message_does(history: Database) -> None:
    old, new = told(history, ANA, "a", now=1.0), told(history, ANA, "b", now=2.0)
    with history.writing() as connection:
        conversations.change(connection, ANA, old, {"title": "First", "pinned": 5.0})
        assert [one.id for one in conversations.listed(connection, ANA, 9)] == [new, old]
        assert [one.title for one in conversations.pinned(connection, ANA)] == ["First"]
        messages.add(connection, old, None, Draft(role="user", text="c"), 3.0)
        assert [one.id for one in conversations.listed(connection, ANA, 9)] == [old, new]


def test_an_edited_question_is_a_branch_and_the_old_one_stays(history: Database) -> None:
    id_ = told(history, ANA, "Two and two?", "Four.")
    with history.writing() as connection:
        edited = messages.add(connection, id_, None, Draft(role="user", text="Two by two?"), 2.0)
        tree = messages.all_of(connection, ANA, id_)
        shown = conversations.find(connection, ANA, id_).shown
    assert [one.text for one in messages.branch(tree, shown)] == ["Two by two?"]
    assert [one.text for one in messages.branch(tree, tree[1].id)] == ["Two and two?", "Four."]
    assert edited.parent is None


def test_a_fork_has_the_branch_up_to_a_message_and_lives_on_its_own(history: Database) -> None:
    id_ = told(history, ANA, "one", "two", "three", title="Counting")
    with history.writing() as connection:
        second = messages.all_of(connection, ANA, id_)[1].id
        fork = messages.fork(connection, ANA, id_, second, 5.0)
        conversations.erase(connection, ANA, id_)
        assert [one.text for one in messages.all_of(connection, ANA, fork)] == ["one", "two"]
        assert conversations.find(connection, ANA, fork).title == "Counting"


def test_a_growing_answer_is_kept_and_ends_once(history: Database) -> None:
    id_ = told(history, ANA, "Go on")
    with history.writing() as connection:
        draft = Draft(role="assistant", text="", status="growing", model="island")
        answer = messages.add(connection, id_, None, draft, 1.0).id
        messages.grow(connection, answer, "Once upon")
    assert found(history, ANA, "upon") == []
    with history.writing() as connection:
        messages.finish(connection, answer, "Once upon a time", "done", {"seconds": 1.5})
        messages.finish(connection, answer, "late", "failed", {})
        messages.grow(connection, answer, "late")
        _, message = messages.find(connection, ANA, answer)
    assert (message.text, message.status, message.facts) == (
        "Once upon a time",
        "done",
        {"seconds": 1.5},
    )
    assert found(history, ANA, "upon") == [(id_, answer)]


def test_answers_that_grew_when_the_program_ended_are_cut_off(history: Database) -> None:
    id_ = told(history, ANA, "Go on")
    with history.writing() as connection:
        draft = Draft(role="assistant", text="half", status="growing")
        answer = messages.add(connection, id_, None, draft, 1.0).id
        assert messages.cut_off(connection) == 1
        _, message = messages.find(connection, ANA, answer)
    assert (message.text, message.status) == ("half", "failed")
    assert message.facts["error"]["code"] == "cut_off"
    assert found(history, ANA, "half") == [(id_, answer)]


def test_words_are_found_without_accents_or_case_and_the_last_by_its_beginning(
    history: Database,
) -> None:
    id_ = told(history, ANA, "Le château de ma mère", "The Noël market", title="Vacances d'été")
    told(history, BEN, "Le château de ma mère")
    with history.reading() as connection:
        first, second = [one.id for one in messages.all_of(connection, ANA, id_)]
    assert found(history, ANA, "CHATEAU mere") == [(id_, first)]
    assert found(history, ANA, "noel") == [(id_, second)]
    assert found(history, ANA, "châ") == [(id_, first)]
    assert found(history, ANA, "ete") == [(id_, None)]
    assert found(history, ANA, "chateau market") == []


def test_a_hit_shows_the_words_among_their_neighbours(history: Database) -> None:
    told(history, ANA, "word " * 200 + "needle in the hay" + " word" * 200)
    with history.reading() as connection:
        [hit] = search.search(connection, ANA, "needle", 30)
    assert hit.piece[1] == "needle"
    assert len("".join(hit.piece)) < 300


@pytest.mark.parametrize(
    "asked", ['"', "a* OR b", "NEAR(", "x:y", "'; DROP TABLE messages; --", "\0", "-", "(", "&|!:*"]
)
def test_no_text_breaks_the_search(history: Database, asked: str) -> None:
    told(history, ANA, "hello")
    assert found(history, ANA, asked) == []


def test_what_is_erased_is_found_no_more_however_long_it_was(history: Database) -> None:
    id_ = told(history, ANA, *["needle"] * 1200)
    with history.writing() as connection:
        conversations.erase(connection, ANA, id_)
        assert conversations.listed(connection, ANA, 9) == []
    assert found(history, ANA, "needle") == []


def test_nobody_else_finds_it(history: Database) -> None:
    id_ = told(history, ANA, "secret")
    with history.writing() as connection:
        [message] = messages.all_of(connection, ANA, id_)
        for look in (
            lambda: conversations.find(connection, BEN, id_),
            lambda: conversations.erase(connection, BEN, id_),
            lambda: conversations.change(connection, BEN, id_, {"title": "mine"}),
            lambda: messages.all_of(connection, BEN, id_),
            lambda: messages.find(connection, BEN, message.id),
            lambda: messages.fork(connection, BEN, id_, message.id, 1.0),
            lambda: sharing.share(connection, BEN, id_, "token"),
        ):
            with pytest.raises(NotFound):
                look()
        assert conversations.find(connection, ANA, id_).title == ""


def test_a_message_is_added_below_one_of_its_own_conversation_only(history: Database) -> None:
    one, other = told(history, ANA, "a"), told(history, ANA, "b")
    with history.writing() as connection:
        [parent] = messages.all_of(connection, ANA, other)
        with pytest.raises(NotFound, match="in this conversation"):
            messages.add(connection, one, parent.id, Draft(role="user", text="c"), 1.0)


def test_a_link_opens_the_branch_that_its_owner_sees_until_it_is_taken_back(
    history: Database,
) -> None:
    id_ = told(history, ANA, "one", "two", title="Numbers")
    with history.writing() as connection:
        with pytest.raises(NotFound):
            sharing.shared(connection, "first")
        assert sharing.share(connection, ANA, id_, "first").shared
        title, branch = sharing.shared(connection, "first")
        assert (title, [one.text for one in branch]) == ("Numbers", ["one", "two"])
        sharing.share(connection, ANA, id_, "second")
        with pytest.raises(NotFound):
            sharing.shared(connection, "first")
        assert not sharing.unshare(connection, ANA, id_).shared
        with pytest.raises(NotFound):
            sharing.shared(connection, "second")


def test_a_folder_that_goes_leaves_its_conversations(history: Database) -> None:
    id_ = told(history, ANA, "a")
    with history.writing() as connection:
        folder = folders.make(connection, ANA, "  Work  and\tplay ")
        assert folder.name == "Work and play"
        conversations.change(connection, ANA, id_, {"folder": folder.id})
        for owner, name in ((ANA, "Work and play"), (ANA, " "), (ANA, "x" * 121)):
            with pytest.raises(ConfigError):
                folders.make(connection, owner, name)
        with pytest.raises(NotFound):
            folders.rename(connection, BEN, folder.id, "mine")
        assert folders.rename(connection, ANA, folder.id, "Work").name == "Work"
        folders.erase(connection, ANA, folder.id)
        assert conversations.find(connection, ANA, id_).folder is None
