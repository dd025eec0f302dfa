"""Without a model: other words and the other language find a passage, and its best sentence."""

import asyncio
from datetime import UTC, datetime

import pytest

from archipel.documents.ingest import ingest
from archipel.documents.language import guess_language
from archipel.documents.library import Library, Place, Scope
from archipel.documents.search import search
from archipel.documents.support import Supported, asked_of, supporting_sentences

NOW = datetime(2026, 11, 28, tzinfo=UTC)
TEXTS = {
    "leave.md": "# Leave\n\n## Length\n\nStaff are proud. It lasts thirty days a year, M. Roy says."
    " Ask early.\n\n## Sickness\n\nSend the doctor's note within two days.",
    "loyer.md": "# Bail du bureau\n\nLe loyer se paie le cinq du mois. La caution vaut deux mois.",
    "ecran.md": "# Écrans\n\nLes réunions se font avec un ordinateur portable et un écran.",
    "pump.md": "# Pump KR-65\n\nThe flow is twelve litres a minute at two bars.",
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    folder = tmp_path_factory.mktemp("support")
    library = Library(folder / "library.db")
    for name, text in TEXTS.items():
        (folder / name).write_text(text)
        asyncio.run(ingest(library, folder / name, Place("ada", "work", name), NOW))
    return library


def first(library: Library, question: str) -> str:
    passages = asyncio.run(search(library, question, [Scope("ada")]))
    return passages[0].place.name if passages else ""


def answer(library: Library, question: str) -> list[Supported]:
    passages = asyncio.run(search(library, question, [Scope("ada")], 3))
    return supporting_sentences(asked_of(library, question), passages)


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("How long are the holidays of workers?", "leave.md"),
        ("Combien de jours de vacances par an pour les employés ?", "leave.md"),
        ("certificat du médecin en cas de maladie", "leave.md"),
        ("When is the rent of the office due?", "loyer.md"),
        ("monitor and laptop in meetings", "ecran.md"),
        ("débit de la pompe KR-65", "pump.md"),
    ],
)
def test_other_words_and_the_other_language_find_a_passage(
    library: Library, question: str, name: str
) -> None:
    assert first(library, question) == name


def test_the_best_sentence_is_cut_from_its_source(library: Library) -> None:
    (best, *_) = answer(library, "How many days a year does leave last?")
    assert best.citation.quote == "It lasts thirty days a year, M. Roy says."
    (span,) = best.citation.spans
    (_, block), *_ = library.blocks([Scope("ada")], best.citation.passage.document, span.block, 99)
    assert block.text[span.start : span.end] == best.citation.quote
    assert 0.5 <= best.share <= 1


def test_what_no_document_speaks_of_has_no_answer(library: Library) -> None:
    assert answer(library, "Which wine goes with roast lamb and mushrooms?") == []
    assert answer(library, "Quel vin servir avec un gigot d’agneau ?") == []
    assert answer(library, "???") == []


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("poids maximal à soulever quand on attend un bébé", "fr"),
        ("which weeks does the workshop close", "en"),
        ("mot de passe", "fr"),
        ("KR-65", "other"),
        ("Wann beginnt der Kurs?", "other"),
        ("", "other"),
    ],
)
def test_the_language_of_a_text(text: str, language: str) -> None:
    assert guess_language(text) == language
