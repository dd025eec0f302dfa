"""E-mail: the letter's head, its text, and the files that hang on it, each under its name."""

from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage, Message

from archipel.documents.blocks import Anchor
from archipel.documents.collector import Collector, too_large
from archipel.documents.formats.html import read_html
from archipel.documents.formats.text import decode, read_text
from archipel.errors import DocumentCorrupt, DocumentError, DocumentTooLarge

_HEAD = ("From", "To", "Cc", "Date", "Subject")
ReadInside = Callable[[bytes, Collector], None]


def read_message(data: bytes, out: Collector, read_inside: ReadInside) -> None:
    """The message and, through `read_inside`, its attachments. One that can't be read is named.

    Raises:
        DocumentCorrupt: it has none of a letter's heads.
        DocumentTooLarge: there are more messages within messages than the limits allow.
    """
    message = message_from_bytes(data, policy=policy.default)
    if not any(message[name] for name in _HEAD):
        raise DocumentCorrupt(
            f"{out.name!r} is no message: it has neither From nor Subject. Save it again as eml."
        )
    if len(out.part) > out.limits.nesting:
        raise too_large(out.name, f"{out.limits.nesting} messages within messages")
    head = [f"{name}: {message[name]}" for name in _HEAD if message[name]]
    out.heading(1, str(message["Subject"] or ""), Anchor(paragraph=1))
    out.add("\n".join(head), Anchor(paragraph=1))
    _read_body(message, out)
    for attachment in message.iter_attachments():
        _read_attachment(attachment, out, read_inside)


def _read_body(message: EmailMessage, out: Collector) -> None:
    body = message.get_body(("plain", "html"))
    if body is None:
        return
    data = _text(body).encode("utf-8", "ignore")
    if body.get_content_type() == "text/html":
        read_html(data, out)
    else:
        read_text(data, out)


def _read_attachment(attachment: Message, out: Collector, read_inside: ReadInside) -> None:
    out.under(1, "")
    kind = attachment.get_content_type()
    unnamed = "message.eml" if kind == "message/rfc822" else kind.replace("/", ".")
    inner = out.within(attachment.get_filename() or unnamed)
    try:
        read_inside(_bytes(attachment), inner)
    except DocumentTooLarge:
        raise
    except DocumentError as error:
        inner.leave_out(Anchor(), str(error))
    out.take(inner)


def _text(part: Message) -> str:
    """A part's text, in the letters that it names, or by its bytes where there are no such."""
    data = _bytes(part)
    try:
        return data.decode(part.get_content_charset("utf-8"))
    except (LookupError, UnicodeDecodeError):
        return decode(data)


def _bytes(part: Message) -> bytes:
    """What a part holds; of a message, the message itself."""
    parts = part.get_payload()
    if isinstance(parts, list):
        return next((part.as_bytes() for part in parts if isinstance(part, Message)), b"")
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""
