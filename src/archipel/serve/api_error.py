"""What clients are told when something is wrong, in OpenAI's shape or in Anthropic's."""

from collections.abc import Mapping
from typing import Any

_ANTHROPIC_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
}


class ApiError(Exception):
    """An error with its HTTP status and its place in the request."""

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers
        self.body = {
            "error": {"message": message, "type": _type(status, code), "param": param, "code": code}
        }

    def body_at(self, path: str) -> dict[str, Any]:
        """As clients of that path know errors: below /v1/messages as Anthropic's API words them."""
        if not f"{path}/".startswith("/v1/messages/"):
            return self.body
        kind = "invalid_request_error" if self.status < 500 else "api_error"
        kind = _ANTHROPIC_TYPES.get(self.status, kind)
        return {"type": "error", "error": {"type": kind, "message": str(self)}}


def retry_after(seconds: float) -> dict[str, str]:
    """The header that says when to come back."""
    return {"Retry-After": f"{max(1.0, seconds):.0f}"}


def _type(status: int, code: str | None) -> str:
    if code == "insufficient_quota":
        return code
    if status == 429:
        return "rate_limit_error"
    return "invalid_request_error" if status < 500 else "server_error"
