"""`archipel run eyes`: teach eyes, for a run of a model that sees to begin with."""

from pathlib import Path

import typer


def eyes(
    inputs: list[Path] = typer.Argument(
        help="Folders and zip archives: the pictures that the corpus was built of."
    ),
    corpus: Path = typer.Option(help="The folder that `archipel corpus build --images` made."),
    out: Path = typer.Option(..., "--out", "-o", help="The folder to write."),
    model: str = typer.Option("vision-nano", help="A size: vision-nano or vision-micro."),
    teacher_passes: int = typer.Option(
        60, min=1, help="How often convolutions learn all pictures, to teach then."
    ),
    passes: int = typer.Option(120, min=1, help="How often the eyes learn all pictures."),
) -> None:
    """Teach a vision transformer to tell the corpus's things apart, by the answer to the first
    question about each picture. Stopped or killed, the same command goes on.

    Example: archipel run eyes animals/ --corpus corpus -o start
    Then: archipel run create s3://models/looker --corpus corpus --model start --learning-rate 0.004
    """
    from rich.console import Console

    from archipel.cli.eyes import shown_on, teach_eyes, told
    from archipel.corpus import read_manifest
    from archipel.corpus.left_out import LeftOut
    from archipel.corpus.pictures import read_pictures
    from archipel.errors import ConfigError
    from archipel.files import read_json
    from archipel.images.seeing_sizes import SIZES, check_asks
    from archipel.train.eyes import Schooling

    if model not in SIZES:
        raise ConfigError(f"--model {model!r} is no size of what sees: use {' or '.join(SIZES)}")
    manifest, left_out = read_manifest(corpus), LeftOut()
    check_asks(manifest, corpus)
    assert manifest.pictures
    console = Console(highlight=False)
    pictures = list(read_pictures(inputs, manifest.pictures.size, left_out))
    if left_out.counts:
        console.print(f"left out: {left_out.described()}", soft_wrap=True, markup=False)
    schooling = Schooling(teacher_passes=teacher_passes, passes=passes)
    try:
        with shown_on(console) as show:
            teach_eyes(model, corpus, pictures, schooling, out, show)
    except KeyboardInterrupt:
        typer.echo("Stopped. The same command goes on where it was.", err=True)
        raise typer.Exit(130) from None
    for name, value in read_json(told(out)).items():
        console.print(f"{name:<30} {value:,}", soft_wrap=True, markup=False)
