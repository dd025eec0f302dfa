"""The tables of keys, limits, usage and audit, as the newest migration leaves them.

Times are seconds since the epoch; money is in nanos, billionths of the settings' currency.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

_Number = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up INTEGER keys only
metadata = MetaData()
NEWEST = "0005"  # the migration that makes them as they are here

organisations = Table(
    "organisations",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
)
projects = Table(
    "projects",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("organisation", _Number, ForeignKey("organisations.id"), nullable=False),
    Column("name", String(64), nullable=False, unique=True),
)
keys = Table(
    "keys",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("project", _Number, ForeignKey("projects.id"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("prefix", String(16), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("models", JSON),  # the public names that it opens; null: all
    Column("endpoints", JSON),  # below /v1; null: all
    Column("created", Double, nullable=False),
    Column("expires", Double),
    Column("revoked", Double),
    Column("person", _Number, ForeignKey("people.id")),  # whose it is; null: nobody's
)
people = Table(
    "people",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("email", String(254)),
    Column("role", String(16), nullable=False),  # admin, auditor, person
    Column("password", Text),  # hashed; null: logs in elsewhere, or not at all
    Column("issuer", Text),  # where the person logs in, and who it is there
    Column("subject", String(255)),
    Column("created", Double, nullable=False),
    Column("disabled", Double),
    UniqueConstraint("issuer", "subject"),
)
memberships = Table(
    "memberships",
    metadata,
    Column("person", _Number, ForeignKey("people.id"), primary_key=True),
    Column("project", _Number, ForeignKey("projects.id"), primary_key=True),
    Column("role", String(16), nullable=False),  # manager, member
)
sessions = Table(
    "sessions",
    metadata,
    Column("digest", String(64), primary_key=True),  # of what the browser has
    Column("person", _Number, ForeignKey("people.id"), nullable=False, index=True),
    Column("began", Double, nullable=False),
    Column("seen", Double, nullable=False),
)
attempts = Table(
    "attempts",
    metadata,
    Column("who", String(64), primary_key=True),  # digest of a name or an address
    Column("failures", BigInteger, nullable=False),
    Column("last", Double, nullable=False, index=True),
)
limits = Table(
    "limits",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("scope", String(16), nullable=False),  # organisation, project, key
    Column("scope_id", BigInteger, nullable=False),
    Column("what", String(16), nullable=False),  # requests, tokens, money, concurrent
    Column("per", String(8), nullable=False),  # minute, day, month, moment
    Column("amount", BigInteger, nullable=False),
    UniqueConstraint("scope", "scope_id", "what", "per"),
)
counters = Table(
    "counters",
    metadata,
    Column("limit_id", BigInteger, primary_key=True),
    Column("period", String(16), primary_key=True),  # 2026-11, 2026-11-27, 2026-11-27T08:15, now
    Column("value", BigInteger, nullable=False),
)
workers = Table(
    "workers",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("seen", Double, nullable=False),
)
reservations = Table(
    "reservations",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("worker", String(36), nullable=False, index=True),
    Column("began", Double, nullable=False),
    Column("asked", JSON, nullable=False),
)
usage = Table(
    "usage",
    metadata,
    Column("id", String(36), primary_key=True),  # its reservation's
    Column("began", Double, nullable=False, index=True),
    Column("seconds", Double, nullable=False),
    Column("organisation", BigInteger, nullable=False),
    Column("project", BigInteger, nullable=False),
    Column("key", BigInteger, nullable=False),
    Column("endpoint", String(64), nullable=False),
    Column("model", String(128), nullable=False),  # the public name
    Column("provider", String(128)),
    Column("provider_model", Text),
    Column("outcome", String(16), nullable=False),  # answered, failed, left, lost
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("estimated", Boolean, nullable=False),  # the provider did not say how many tokens
    Column("nanos", BigInteger, nullable=False),
    Column("batch", String(40)),  # whose line it was; null: a live request
)
drains = Table(
    "drains",
    metadata,
    Column("provider", String(128), primary_key=True),
    Column("since", Double, nullable=False),
)
shadows = Table(
    "shadows",
    metadata,
    Column("route", String(128), primary_key=True),
    Column("candidate", String(128), nullable=False),  # a public name too
    Column("share", Double, nullable=False),
    Column("since", Double, nullable=False),
)
shadow_answers = Table(
    "shadow_answers",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("time", Double, nullable=False),
    Column("route", String(128), nullable=False, index=True),
    Column("candidate", String(128), nullable=False),
    Column("outcome", String(16), nullable=False),  # the candidate's: answered, failed
    Column("provider", String(128), nullable=False),
    Column("candidate_provider", String(128)),
    Column("seconds", Double, nullable=False),
    Column("candidate_seconds", Double, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("candidate_completion_tokens", BigInteger),
    Column("nanos", BigInteger, nullable=False),
    Column("candidate_nanos", BigInteger),
    Column("words", Double),  # F1 of the answers' words
    Column("same", Boolean),
    Column("calls_agree", Boolean),  # null: neither calls a tool
)
files = Table(
    "files",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("project", _Number, ForeignKey("projects.id"), nullable=False, index=True),
    Column("name", String(255), nullable=False),
    Column("purpose", String(16), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("digests", JSON, nullable=False),  # SHA-256 of each piece
    Column("created", Double, nullable=False),
    Column("expires", Double, nullable=False, index=True),
)
batches = Table(
    "batches",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("project", _Number, ForeignKey("projects.id"), nullable=False, index=True),
    Column("key", _Number, ForeignKey("keys.id"), nullable=False),  # that made it, and asks
    Column("endpoint", String(64), nullable=False),
    Column("input_file", String(40), nullable=False),
    Column("metadata", JSON),
    Column("output_seconds", Double),  # that its files are kept; null: as others
    Column("status", String(16), nullable=False, index=True),
    Column("worker", String(36)),  # the process that works on it; dead if not in workers
    *(Column(name, Double) for name in ("created", "expires", "in_progress", "finalizing")),
    *(Column(name, Double) for name in ("completed", "failed", "expired")),
    *(Column(name, Double) for name in ("cancelling", "cancelled")),
    Column("total_lines", Integer, nullable=False),
    Column("right_lines", Integer, nullable=False),  # answered with 200
    Column("wrong_lines", Integer, nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("errors", JSON),  # of an input file that can't be used
    Column("output_file", String(40)),
    Column("error_file", String(40)),
)
batch_answers = Table(
    "batch_answers",
    metadata,
    Column("batch", String(40), ForeignKey("batches.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),  # of the input's line
    Column("is_right", Boolean, nullable=False),
    Column("line", LargeBinary, nullable=False),  # as it will be in the output or error file
)
rules = Table(
    "rules",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("scope", String(16), nullable=False),  # organisation, project, key
    Column("scope_id", BigInteger, nullable=False),
    Column("sides", JSON, nullable=False),  # in, out
    Column("kind", String(16), nullable=False),  # match, words, pattern
    Column("match", Text, nullable=False),
    Column("act", String(16), nullable=False),  # refuse, mask, flag
    Column("since", Double, nullable=False),
)
keeps = Table(
    "keeps",
    metadata,
    Column("project", BigInteger, primary_key=True, autoincrement=False),
    Column("days", Double, nullable=False),
    Column("share", Double, nullable=False),
    Column("since", Double, nullable=False),
)
exchanges = Table(
    "exchanges",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("time", Double, nullable=False, index=True),
    Column("expires", Double, nullable=False, index=True),
    Column("project", BigInteger, nullable=False, index=True),
    Column("key", BigInteger, nullable=False),
    Column("endpoint", String(64), nullable=False),
    Column("model", String(128), nullable=False),  # the public name
    Column("provider", String(128), nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("question", LargeBinary, nullable=False),  # encrypted, as the answer is
    Column("answer", LargeBinary, nullable=False),
    Column("whole", Boolean, nullable=False),  # false: the answer was too long, and is cut
)
audit = Table(
    "audit",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("time", Double, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("act", String(64), nullable=False),
    Column("details", JSON, nullable=False),
    Column("digest", String(64), nullable=False),  # of this row and the digest before it
)
