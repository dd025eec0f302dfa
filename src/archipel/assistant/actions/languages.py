"""The languages to choose from: by their own names, and as instructions call them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Language:
    """`own` is its name in itself; `english` and `french` follow "into" and « en »."""

    code: str
    own: str
    english: str
    french: str

    def called(self, speech: str) -> str:
        """Its name in instructions in French (`fr`) or English."""
        return self.french if speech == "fr" else self.english


_TABLE = """
ar|العربية|Arabic|arabe
bg|български|Bulgarian|bulgare
br|brezhoneg|Breton|breton
ca|català|Catalan|catalan
cs|čeština|Czech|tchèque
da|dansk|Danish|danois
de|Deutsch|German|allemand
el|ελληνικά|Greek|grec
en|English|English|anglais
es|español|Spanish|espagnol
et|eesti|Estonian|estonien
eu|euskara|Basque|basque
fa|فارسی|Persian|persan
fi|suomi|Finnish|finnois
fr|français|French|français
ga|Gaeilge|Irish|irlandais
he|עברית|Hebrew|hébreu
hi|हिन्दी|Hindi|hindi
hr|hrvatski|Croatian|croate
hu|magyar|Hungarian|hongrois
id|Bahasa Indonesia|Indonesian|indonésien
is|íslenska|Icelandic|islandais
it|italiano|Italian|italien
ja|日本語|Japanese|japonais
ko|한국어|Korean|coréen
la|latina|Latin|latin
lt|lietuvių|Lithuanian|lituanien
lv|latviešu|Latvian|letton
nl|Nederlands|Dutch|néerlandais
no|norsk|Norwegian|norvégien
pl|polski|Polish|polonais
pt|português|Portuguese|portugais
ro|română|Romanian|roumain
ru|русский|Russian|russe
sk|slovenčina|Slovak|slovaque
sl|slovenščina|Slovenian|slovène
sr|српски|Serbian|serbe
sv|svenska|Swedish|suédois
sw|Kiswahili|Swahili|swahili
th|ไทย|Thai|thaï
tr|Türkçe|Turkish|turc
uk|українська|Ukrainian|ukrainien
vi|Tiếng Việt|Vietnamese|vietnamien
zh|中文|Chinese|chinois
"""
LANGUAGES = {
    one.code: one for one in (Language(*line.split("|")) for line in _TABLE.strip().splitlines())
}
