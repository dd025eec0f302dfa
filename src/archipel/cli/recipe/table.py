"""The recipes: what is made of which data, with which settings. Nothing of how."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Self

from archipel.cli.material import Task
from archipel.corpus import stories
from archipel.corpus.pictures import PictureOptions
from archipel.corpus.pictures.emoji import EmojiOptions
from archipel.corpus.repairs import DOCUMENTS, HELD_OUT, TRAIN, RepairOptions
from archipel.corpus.stories import StoryOptions


@dataclass(frozen=True)
class Asked:
    """A task of `archipel eval`; its system message if it is asked in one; what its figures are
    called, {} being the task's own word. One that `reads` is asked of the checkpoint: a GGUF does
    not tell how likely a text is."""

    task: str
    system: str | None = None
    called: str = "{}"
    reads: bool = False


@dataclass(frozen=True, kw_only=True)
class Texts:
    """A file of texts that are learnt whole: the field with each, how often it is there, and how
    much of it, from its beginning."""

    file: str
    field: str = "text"
    times: int = 1
    most_characters: int | None = None


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A small model for one job. Files are looked for by name in the data's folder; without a
    `task` they hold conversations. One that is named twice is learnt twice."""

    about: str
    note: str  # what whoever reads its figures has to know of the data
    files: tuple[str, ...]
    task: Task | None = None
    fields: str | None = None
    asked_in: str | None = None
    kind: str  # of the GGUF
    asked: tuple[Asked, ...]  # the first is timed
    means: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # figures of figures
    speed: str  # what answers a second are called
    alone_words: int | None = None  # of the questions whose answers are timed alone
    examples: str  # what is asked


@dataclass(frozen=True, kw_only=True)
class FromScratch(Recipe):
    """Trained at several sites. What it `makes` of the data's folder, or of the file `made_of` in
    it, is looked for before what lies there."""

    makes: RepairOptions | StoryOptions | None = None
    made_of: str | None = None
    held_out: tuple[str, ...]
    texts: tuple[Texts, ...] = ()
    fill_in: float = 0.0  # share of the texts that is rearranged
    vocab_size: int
    context: int
    model: Mapping[str, object]  # a config.json
    tokens: int
    batch: int  # rows in a site's step
    sync_steps: int
    learning_rate: float
    sites: tuple[str, ...]
    compared: str  # how the figures begin that are compared with those of one site


@dataclass(frozen=True, kw_only=True)
class FineTuned(Recipe):
    """A model of the catalogue, or a path, that learns one thing more, on one machine."""

    start: str
    epochs: int
    batch: int  # lessons in a step


@dataclass(frozen=True, kw_only=True)
class OfPictures:
    """A small model trained at several sites on the pictures in the zip archive `file`."""

    about: str
    note: str
    file: str
    material: EmojiOptions
    corpus: PictureOptions
    model: str
    tokens: int
    batch: int  # rows in a site's step
    sync_steps: int
    learning_rate: float
    sites: tuple[str, ...]
    asked: int = 200  # pictures in each language
    quick_groups: tuple[str, ...]  # of the things that are learnt where time is short
    quick_tokens: int
    quick_batch: int  # so few that the fewer rows fill a unit, 32 steps
    quick_sync_steps: int

    def quick(self) -> Self:
        """The same with fewer things and less training."""
        material = replace(self.material, groups=self.quick_groups)
        return replace(
            self,
            material=material,
            tokens=self.quick_tokens,
            batch=self.quick_batch,
            sync_steps=self.quick_sync_steps,
        )


@dataclass(frozen=True, kw_only=True)
class Pictured(OfPictures):
    """One that makes pictures."""

    recogniser_epochs: int


@dataclass(frozen=True, kw_only=True)
class Sighted(OfPictures):
    """One that sees them. How often its eyes learn all pictures before anything is asked: their
    teacher, then they themselves."""

    passes: tuple[int, int]
    quick_passes: tuple[int, int]

    def quick(self) -> Self:
        """As `OfPictures.quick`."""
        return replace(super().quick(), passes=self.quick_passes)


_SIX_LAYERS: Mapping[str, object] = MappingProxyType(
    {
        "model_type": "llama",
        "hidden_size": 256,
        "intermediate_size": 768,
        "num_hidden_layers": 6,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "tie_word_embeddings": True,
        "rms_norm_eps": 1e-5,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
    }
)  # six million parameters, with a vocabulary of 4,096

_TEN_MILLION: Mapping[str, object] = MappingProxyType(
    {
        **_SIX_LAYERS,
        "hidden_size": 320,
        "intermediate_size": 896,
        "num_attention_heads": 5,
        "num_key_value_heads": 5,
        "initializer_range": 320**-0.5,  # docs/decisions/0003
    }
)  # 10.2 million parameters, with a vocabulary of 8,192

_INSTRUCTIONS = (
    "dolly_hhrlhf_train_small.jsonl.xz",
    "self_instruct_seed_tasks.jsonl.xz",
    "user_oriented_instructions.jsonl.xz",
    "oasst_fr_top1.jsonl.xz",
    "seed_tasks_vigogne_fr.jsonl.xz",
)

_STORY_NOTE = """The stories are short ones of African Storybook and Pratham Books (CC BY 4.0), 7 in
English for one in French, which are translations; novels of 1840 to 1920 are learnt beside them,
three fifths of all that it reads. A tenth of the stories are held out, with their translations and
those of the same title. Bits per byte, BLiMP and CLAMS are of the checkpoint in fp32, all else of
the GGUF. A story that is well told may be a learnt one: nothing here tells how much was learnt by
heart.

To compare with: guessing is right for half of the pairs of BLiMP and CLAMS. nanochat's log
(github.com/karpathy/nanochat, dev/LOG.md) has 0.897 bits per byte at 1e18 FLOPs, on web text in
English; this model has less than a thousandth of that, and other text. TinyStories (Eldan and Li
2023) claims fluent stories by models below ten million parameters, from far more stories, all
written for that. Padovani et al. (2025, arXiv 2505.23689; results of the last checkpoints, means of
three seeds, in github.com/fpadovani/childes_vs_wiki) trained GPT-2 models of 12.7 million
parameters, one for a language, for 100,000 steps on Wikipedia, or on what is said to children. By
their own measuring these reach 0.604 or 0.592 on BLiMP, 0.726 or 0.599 on CLAMS in English, and
0.773 or 0.623 in French."""

_EMOJI_NOTE = """The pictures are emoji of Noto (Apache 2.0), Twemoji (CC BY 4.0) and OpenMoji
(CC BY-SA 4.0), their names and keywords those of CLDR (Unicode License). Of about one thing in
eight, one style is held out, and that is asked for: the thing and the style were learnt, never
together. Whether a picture shows the thing is for a recogniser to say, a small network that was
trained on all real pictures; the distance to real pictures is Fréchet's in what it sees, to be
compared with no published FID. The model has learnt its pictures by heart, as one this small can:
it puts a known thing into another style and blends things, and composes no scenes."""

_VISION_NOTE = """The pictures are emoji of Noto (Apache 2.0), Twemoji (CC BY 4.0) and OpenMoji
(CC BY-SA 4.0), their names and keywords those of CLDR (Unicode License). All of Noto's are held
out: what is asked about then are things that were learnt, drawn by a hand that never was. An answer
counts where it is the thing's name, letter by letter but for capitals; a synonym does not. The
model takes everything for one of its emoji."""

RECIPES: Mapping[str, FromScratch | FineTuned | Pictured | Sighted] = MappingProxyType(
    {
        "translator-fr-en": FromScratch(
            about="translates everyday sentences between English and French",
            note="The sentences are short, everyday ones. Of the 3,163 French ones that are held "
            "out, 313 are also in the training data, with another English translation: the figures "
            "from French to English are flattered.",
            files=("tatoeba_en_fr.train.tsv.xz",),
            held_out=("tatoeba_en_fr.dev.tsv.xz",),
            task="translate",
            fields="en,fr",
            asked_in="en,fr",
            vocab_size=4096,
            context=256,
            model=_SIX_LAYERS,
            tokens=24_000_000,
            batch=8,
            sync_steps=50,
            learning_rate=0.002,
            sites=("athens", "bergen", "cadiz"),
            kind="q8_0",
            asked=(
                Asked("translate_fr_en", "Translate into English.", "{}_fr_en"),
                Asked("translate_en_fr", "Translate into French.", "{}_en_fr"),
            ),
            compared="bleu",
            speed="sentences_per_second",
            alone_words=12,
            examples="sentences",
        ),
        "code-repair": FromScratch(
            about="repairs small Python functions, goes on with them and fills their gaps",
            note="Each function has one mistake, made by a rule; what people do wrong is more "
            "various. Held out are whole modules, and of their functions those that can be judged "
            "by running.",
            makes=RepairOptions(per_function=12),
            files=(TRAIN,),
            held_out=(HELD_OUT,),
            texts=(Texts(file=TRAIN, field="target"), Texts(file=DOCUMENTS)),
            fill_in=0.5,
            task="repair",
            fields="source,edit",
            asked_in="en,fr",
            vocab_size=4096,
            context=512,
            model={**_SIX_LAYERS, "initializer_range": 256**-0.5},  # docs/decisions/0003
            tokens=20_000_000,
            batch=4,
            sync_steps=50,
            learning_rate=0.002,
            sites=("athens", "bergen", "cadiz"),
            kind="q8_0",
            asked=(
                Asked("repair", "Repair the code."),
                Asked("complete"),
                Asked("fill_in", called="{}_filled_in"),
            ),
            compared="repaired_share",
            speed="repairs_per_second",
            examples="functions",
        ),
        "story-chat": FromScratch(
            about="tells and continues children's stories in English and French",
            note=_STORY_NOTE,
            makes=StoryOptions(per_story=8),
            made_of="children_stories.jsonl.xz",
            files=(
                stories.TRAIN.format("en"),
                *(2 * (stories.TRAIN.format("fr"),)),
                *(3 * _INSTRUCTIONS),
            ),
            held_out=(stories.HELD_OUT.format("en"), stories.HELD_OUT.format("fr")),
            texts=(
                Texts(file=stories.TEXTS.format("en"), times=8),
                Texts(file=stories.TEXTS.format("fr"), times=8),
                Texts(file="novels_en.jsonl.xz", most_characters=300_000),
                Texts(file="novels_fr.jsonl.xz", most_characters=300_000),
            ),
            vocab_size=8192,
            context=512,
            model=_TEN_MILLION,
            tokens=14_000_000,
            batch=4,
            sync_steps=50,
            learning_rate=0.002,
            sites=("athens", "bergen", "cadiz"),
            kind="q8_0",
            asked=(
                Asked(f"tell:{stories.HELD_OUT.format('en')}", called="{}_en"),
                Asked(f"tell:{stories.HELD_OUT.format('fr')}", called="{}_fr"),
                Asked("instructions"),
                *(
                    Asked(
                        f"bits_per_byte:{stories.HELD_OUT.format(language)}",
                        called=f"{{}}_{language}",
                        reads=True,
                    )
                    for language in ("en", "fr")
                ),
                Asked("blimp", called="blimp", reads=True),
                Asked("clams_en", called="clams_en", reads=True),
                Asked("clams_fr", called="clams_fr", reads=True),
            ),
            means=MappingProxyType(
                {
                    "bits_per_byte": ("bits_per_byte_en", "bits_per_byte_fr"),
                    "clams": ("clams_en", "clams_fr"),
                }
            ),
            compared="bits_per_byte",
            speed="answers_per_second",
            examples="questions",
        ),
        "summary": FineTuned(
            about="says in one sentence what a paper's abstract says",
            note="The abstracts are of machine learning, in English; the sentences that it is "
            "compared with are by authors and by reviewers.",
            files=("scitldr_train.jsonl.xz",),
            task="summarise",
            fields="source,target",
            asked_in="en",
            start="smollm2-135m",
            epochs=2,
            batch=16,
            kind="q8_0",
            asked=(Asked("summary", "Summarise the text in one sentence."),),
            speed="summaries_per_second",
            examples="abstracts",
        ),
        "emoji": Pictured(
            about="makes emoji of a few words, in English and French, in three styles",
            note=_EMOJI_NOTE,
            file="emoji72.zip",
            material=EmojiOptions(),
            corpus=PictureOptions(),
            model="micro",
            tokens=3_000_000_000,
            batch=256,
            sync_steps=50,
            learning_rate=0.002,
            sites=("athens", "bergen", "cadiz"),
            recogniser_epochs=40,
            quick_groups=("animals & nature", "food & drink"),
            quick_tokens=280_000_000,
            quick_batch=128,
            quick_sync_steps=100,
        ),
        "emoji-vision": Sighted(
            about="says in English and French what an emoji shows, in a style that it never saw",
            note=_VISION_NOTE,
            file="emoji72.zip",
            material=EmojiOptions(held_out_style="noto"),
            corpus=PictureOptions(size=32, caption_tokens=40),
            model="vision-nano",
            passes=(110, 230),
            tokens=600_000_000,
            batch=64,
            sync_steps=50,
            learning_rate=0.004,
            sites=("athens", "bergen"),
            asked=300,
            quick_groups=("animals & nature", "food & drink"),
            quick_tokens=20_000_000,
            quick_batch=32,
            quick_sync_steps=50,
            quick_passes=(40, 60),
        ),
    }
)
