"""Errors a request is answered with."""

from __future__ import annotations

from lsprotocol import types


class RequestError(Exception):
    """Ends a handler with this error response. The message is for people."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.code = int(code)
        self.message = message
        self.data = data


def superseded() -> RequestError:
    """The document changed while its diagnostics were computed; the client should ask again."""
    return RequestError(types.LSPErrorCodes.ServerCancelled, "the document has changed", {"retriggerRequest": True})


def content_modified() -> RequestError:
    """The answer would be about a text that is gone."""
    return RequestError(types.LSPErrorCodes.ContentModified, "the document has changed")


def failed(message: str) -> RequestError:
    """A well-formed request that could not be served."""
    return RequestError(types.LSPErrorCodes.RequestFailed, message)


def invalid_params(message: str) -> RequestError:
    return RequestError(types.ErrorCodes.InvalidParams, message)
