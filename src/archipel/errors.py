"""Every error that Archipel raises on purpose. Each message says what, which value, what to do.

    ArchipelError
    ├── ConfigError      a flag, a file or a value that the user gave
    ├── StoreError       object storage that can't be reached, read or written
    ├── IntegrityError   bytes that are not what they claim: length, digest, version, finite values
    ├── RunError         the run's record says no: another spec or tokenizer, a name taken over
    ├── DatabaseError    a database that can't be reached, read or written
    ├── NotFound         a conversation, a message, a folder that is not there, or is another's
    ├── NotAllowed       what one may see and not change
    ├── SandboxError     a program can't be run apart from this machine and its files
    ├── NotImportable    a file, or a conversation in it, that can't be taken over
    ├── TeacherError     a model elsewhere that is to teach, and answers no more
    ├── ModelError       a model that is unknown, can't be loaded or can't be exported
    │   └── UnsupportedModel   a checkpoint that has no equal in GGUF
    └── DocumentError    a person's document that can't be read
        ├── DocumentUnsupported   of a kind that is not read
        ├── DocumentCorrupt       damaged, or not what its name says
        ├── DocumentLocked        behind a password
        ├── DocumentHasMacros     with programs in it
        ├── DocumentEmpty         without any text
        ├── DocumentScanned       pictures of pages, without text
        └── DocumentTooLarge      beyond a limit: bytes, pages, cells, time, memory

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


class TeacherError(ArchipelError):
    """A model elsewhere that is to teach answers no more."""


class ModelError(ArchipelError):
    """A model is unknown, can't be loaded or can't be exported."""


class UnsupportedModel(ModelError):
    """A checkpoint has no equal in GGUF; what is not llama.cpp may run it."""


class DatabaseError(ArchipelError):
    """A database can't be reached, read or written."""


class NotFound(ArchipelError):
    """What was named is not there, or is somebody else's."""


class NotAllowed(ArchipelError):
    """What was named may be seen, and not changed, by whoever asks."""


class SandboxError(ArchipelError):
    """A program can't be run apart from this machine, its files and its network."""


class NotImportable(ArchipelError):
    """A file, or a conversation in it, can't be taken over; `code` is for the page's words."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class DocumentError(ArchipelError):
    """A person's document can't be read."""


class DocumentUnsupported(DocumentError):
    """The document is of a kind that is not read."""


class DocumentCorrupt(DocumentError):
    """The document is damaged, or not what its name says."""


class DocumentLocked(DocumentError):
    """The document has a password."""


class DocumentHasMacros(DocumentError):
    """The document has programs in it."""


class DocumentEmpty(DocumentError):
    """The document has no text."""


class DocumentScanned(DocumentError):
    """The document is pictures of pages, without text."""


class DocumentChanged(DocumentError):
    """The document is no more what it was when the work on it began."""


class DocumentTooLarge(DocumentError):
    """The document goes beyond a limit: bytes, pages, cells, time or memory."""
