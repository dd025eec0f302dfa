"""Which language a text is in, by its small words and its accents. Knows French and English."""

from archipel.documents.words import folded_words

LANGUAGES = ("fr", "en")
_FRENCH = """
    le la les l un une des du de d et ou en au aux a dans par pour sur avec sans sous vers chez
    entre que qui quoi qu dont ce c cet cette ces ca cela ci y il elle ils elles je j tu nous
    vous on me m te t se s lui leur leurs mon ma mes ton ta tes son sa ses notre nos votre vos
    ne n pas plus si quel quelle quels quelles comment quand combien pourquoi est lequel
    laquelle suis es sommes etes sont etais etait etions etaient fut furent sera seront serait
    seraient etre ete ai as avons avez ont avais avait avaient aura auront aurait avoir eu ayant
    puis peux peut pouvons pouvez peuvent pouvait pourra pourrait dois doit devons devez doivent
    devrait faut veux veut voulez veulent voudrait fais fait font faire faites vais va vont
    allez aller alors ainsi aussi donc lors lorsque jusque jusqu tant plutot tres trop encore
    deja jamais toujours meme memes autre autres tout tous toute toutes chaque quelque quelques
    certain certains apres depuis pendant contre selon afin existe aimerais savoir passe suite
    cas venir viens vient viennent venu tenir tient tenu connaitre vouloir falloir rester reste
    laisser mettre met mis donner donne prendre prend pris trouver trouve passer devenir arriver
    arrive sert servir voir voit dire dit possible besoin lieu chose choses facon maniere
    quelqu rien
"""
_ENGLISH = """
    the a an of and or to in on at by for with without from into as is are was were be been
    being am do does did has have had having it its this that these those he she they we you i
    me my our your his her their them us what which who whom whose when where why how many much
    can could should would will shall may might must no not if than then there any some s t m
    get gets got getting go goes going went come comes about again also only just very too still
    even ever never always each every other another same such own up down out off until while
    because since both between through against during under over after before put make makes
    made take takes took like want wants know tell see happen happens happened keep keeps find
    give given need needs let lets become stay stays use used using way thing things possible
    able one ones someone somebody anyone anybody everyone everybody nobody something anything
    everything nothing back else
"""
_SMALL = {"fr": frozenset(_FRENCH.split()), "en": frozenset(_ENGLISH.split())}
_BOTH = _SMALL["fr"] & _SMALL["en"]
_ACCENTED = frozenset("éèêëàâçùûîïôœ’«»")
_SAMPLE_CHARACTERS = 40_000


def guess_language(text: str) -> str:
    """ "fr", "en", or "other" when small words of neither are one word in ten, or of both as many.

    A word with an accent counts as a small word of French.
    """
    sample = text[:_SAMPLE_CHARACTERS]
    words = [word for word in folded_words(sample) if word not in _BOTH]
    counts = {name: sum(map(small.__contains__, words)) for name, small in _SMALL.items()}
    beyond = (word for word in sample.lower().split() if not word.isascii())
    counts["fr"] += sum(not _ACCENTED.isdisjoint(word) for word in beyond)
    first, second = sorted(counts, key=lambda language: -counts[language])
    is_clear = counts[first] > max(counts[second], len(words) / 10)
    return first if is_clear else "other"


def languages_of(text: str) -> tuple[str, ...]:
    """The languages that a text may be in: the one that it seems to be in, or both."""
    guess = guess_language(text)
    return (guess,) if guess in LANGUAGES else LANGUAGES


def is_small(word: str) -> bool:
    """Whether a folded word says little about what a text is on."""
    return any(word in small for small in _SMALL.values())
