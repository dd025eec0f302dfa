"""`archipel corpus stories`: children's stories, to be learnt whole and as conversations."""

from pathlib import Path

import typer


def stories(
    file: Path = typer.Argument(help="Stories: .jsonl with md, lang and id; also .gz .xz …"),
    out: Path = typer.Option(..., "--out", "-o", help="Folder for what is made."),
    held_out: float = typer.Option(0.1, help="Share of the stories kept for measuring."),
    per_story: int = typer.Option(6, help="Most conversations of one story."),
    most_characters: int = typer.Option(1500, help="Most of a story in one of them."),
) -> None:
    """Make conversations of stories, English and French, in which one is told or gone on with.

    Example: archipel corpus stories children_stories.jsonl.xz -o stories
    """
    from archipel.corpus.stories import StoryOptions, make_stories, write_stories

    options = StoryOptions(held_out, per_story, most_characters)
    made = make_stories(file, options)
    facts = write_stories(out, made, options)
    for language in made.languages:
        counts = facts[language]
        typer.echo(
            f"{out}: {language}, {counts['train']:,} stories to learn from in "
            f"{counts['conversations']:,} conversations, {counts['held_out']:,} held out"
        )
    if left_out := made.left_out:
        told = ", ".join(f"{count:,} {reason}" for reason, count in left_out.items())
        typer.echo(f"left out: {told}")
