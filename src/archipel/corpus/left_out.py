"""What a corpus does without, counted by reason."""

from dataclasses import dataclass, field


@dataclass
class LeftOut:
    """How many were left out, and where the first stands, by reason."""

    counts: dict[str, int] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)

    def note(self, reason: str, place: str) -> None:
        """Count one more."""
        self.counts[reason] = self.counts.get(reason, 0) + 1
        self.first.setdefault(reason, place)

    def described(self) -> str:
        """All reasons in words; empty if nothing was left out."""
        return "; ".join(
            f"{count:,} {reason} (the first: {self.first[reason]})"
            for reason, count in self.counts.items()
        )
