"""The loss curve as a picture."""

from pathlib import Path

from archipel.cli.demo.figures import Figures, training_points
from archipel.cli.demo.training import Story
from archipel.ledger import Ledger

_COLOURS = ("#2a78b8", "#d1662f", "#4b9b5a")


def draw(ledger: Ledger, figures: Figures, story: Story, path: Path) -> None:
    """Draw every site's training loss and the held-out loss over the run's tokens."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for colour, (site, points) in zip(_COLOURS, training_points(ledger).items(), strict=True):
        label = f"{site}, training" + (" (killed and back)" if site == story.victim else "")
        tokens = [tokens / 1e6 for tokens, _ in points]
        axes.plot(
            tokens, [loss for _, loss in points], color=colour, lw=1.2, alpha=0.8, label=label
        )
    held_out = [(tokens / 1e6, loss) for tokens, loss in figures.held_out.items()]
    axes.plot(*zip(*held_out, strict=True), "k.-", lw=1.8, ms=7, label="all sites, held out")
    axes.axhline(figures.loss_unigram, color="grey", ls=":", lw=1.2)
    place = (max(figures.held_out) / 1e6, figures.loss_unigram)
    axes.text(*place, "unigram model", color="grey", va="bottom", ha="right", fontsize=9)
    axes.set(xlabel="tokens trained by all sites, millions", ylabel="loss, nats per token")
    axes.set_title("One model, three sites, nothing between them but object storage", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    figure.savefig(path, dpi=130)
    plt.close(figure)
