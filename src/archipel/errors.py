"""Every error that Archipel raises on purpose. Each message says what, which value, what to do.

    ArchipelError
    ├── ConfigError      a flag, a file or a value that the user gave
    ├── StoreError       object storage that can't be reached, read or written
    ├── IntegrityError   bytes that are not what they claim: length, digest, version, finite values
    ├── RunError         the run's record says no: another spec or tokenizer, a name taken over
    ├── DatabaseError    a database that can't be reached, read or written
    ├── NotFound         a conversation, a message, a folder that is not there, or is another's
    ├── SandboxError     a program can't be run apart from this machine and its files
    └── ModelError       a model that is unknown, can't be loaded or can't be exported
        └── UnsupportedModel   a checkpoint that has no equal in GGUF

The command line shows the message without a traceback and exits with 1.
"""


class ArchipelError(Exception):
    """Base of all errors below; catch it to catch them all."""


class ConfigError(ArchipelError):
    """A flag, a file or a value that the user gave can't be used."""


class StoreError(ArchipelError):
    """Object storage can't be reached, read or written."""


class IntegrityError(ArchipelError):
    """Bytes are not what they claim to be."""


class RunError(ArchipelError):
    """The run's record does not allow what was asked."""


class ModelError(ArchipelError):
    """A model is unknown, can't be loaded or can't be exported."""


class UnsupportedModel(ModelError):
    """A checkpoint has no equal in GGUF; what is not llama.cpp may run it."""


class DatabaseError(ArchipelError):
    """A database can't be reached, read or written."""


class NotFound(ArchipelError):
    """What was named is not there, or is somebody else's."""


class SandboxError(ArchipelError):
    """A program can't be run apart from this machine, its files and its network."""
