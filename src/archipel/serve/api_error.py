"""What clients are told when something is wrong, in OpenAI's shape."""

from collections.abc import Mapping


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
        self.headers = headers
        self.body = {
            "error": {"message": message, "type": _type(status, code), "param": param, "code": code}
        }


def retry_after(seconds: float) -> dict[str, str]:
    """The header that says when to come back."""
    return {"Retry-After": f"{max(1.0, seconds):.0f}"}


def _type(status: int, code: str | None) -> str:
    if code == "insufficient_quota":
        return code
    if status == 429:
        return "rate_limit_error"
    return "invalid_request_error" if status < 500 else "server_error"
