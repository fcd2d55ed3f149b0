"""JSON-RPC as the Language Server Protocol uses it: one response to every request, whatever the request is like.

pygls leaves malformed requests unanswered, serves before ``initialize`` and can raise where a cancelled request
meets its late answer. So the message loop is written here, over pygls' types, converter and typed client calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import cattrs
from lsprotocol import types
from pygls.protocol import LanguageServerProtocol

from codehunch.lsp.errors import RequestError

if TYPE_CHECKING:
    from codehunch.lsp.connections import Connection

logger = logging.getLogger(__name__)

Handler = Callable[[Any], Any]
_BEFORE_INITIALIZE = {types.INITIALIZE, types.EXIT}


class Protocol(LanguageServerProtocol):
    """Takes bodies from a connection and sends bodies to it. Belongs to the event loop's thread."""

    def __init__(self, server: Any, converter: cattrs.Converter) -> None:
        super().__init__(server, converter)
        self.handlers: dict[str, Handler] = {}
        """Method to ``handler(params)``; a coroutine function's first step runs before the next message is read."""
        self.connection: Connection | None = None
        self.initialized = False
        self.shutting_down = False
        self._open: dict[int | str, asyncio.Task[Any] | None] = {}

    # Incoming

    def receive(self, body: bytes | None) -> None:
        """Handle one message. Never raises."""
        try:
            message = json.loads(body) if body is not None else None
        except (ValueError, RecursionError) as error:
            self._respond_error(None, types.ErrorCodes.ParseError, f"not JSON: {error}")
            return
        if body is None:
            self._respond_error(None, types.ErrorCodes.ParseError, "a message without a valid Content-Length")
        elif not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            is_call = isinstance(message, dict) and "method" in message
            self._respond_error(
                _valid_id(message.get("id")) if is_call and isinstance(message, dict) else None,
                types.ErrorCodes.InvalidRequest,
                "not a JSON-RPC 2.0 message (batches are no part of the Language Server Protocol)",
            )
        elif not isinstance(message.get("method"), str):
            if "method" in message:
                self._respond_error(
                    _valid_id(message.get("id")), types.ErrorCodes.InvalidRequest, "the method is not a string"
                )
            else:
                self._receive_response(message)
        elif "id" in message:
            self._receive_request(message)
        else:
            self._receive_notification(message)

    def _receive_request(self, message: dict[str, Any]) -> None:
        request_id, method = _valid_id(message["id"]), message["method"]
        if request_id is None:
            self._respond_error(None, types.ErrorCodes.InvalidRequest, "the id is neither a string nor an integer")
            return
        if request_id in self._open:
            self._respond_error(
                request_id, types.ErrorCodes.InvalidRequest, f"a request with id {request_id!r} is being served"
            )
            return
        self._open[request_id] = None
        try:
            outcome = self._handler(method)(self._params(message, method))
        except Exception as error:
            self._finish_with(request_id, method, error)
            return
        if not inspect.isawaitable(outcome):
            self._finish(request_id, method, outcome)
            return
        task = asyncio.ensure_future(outcome)
        self._open[request_id] = task
        task.add_done_callback(lambda done: self._task_ended(request_id, method, done))

    def _handler(self, method: str) -> Handler:
        """The method's handler; RequestError where the server's state or its features do not allow it."""
        if self.shutting_down:
            raise RequestError(types.ErrorCodes.InvalidRequest, f"{method} after shutdown")
        if not self.initialized and method not in _BEFORE_INITIALIZE:
            raise RequestError(types.ErrorCodes.ServerNotInitialized, f"{method} before initialize")
        if self.initialized and method == types.INITIALIZE:
            raise RequestError(types.ErrorCodes.InvalidRequest, "initialize was sent twice")
        handler = self.handlers.get(method)
        if handler is None:
            raise RequestError(types.ErrorCodes.MethodNotFound, f"{method} is not served")
        return handler

    def _params(self, message: dict[str, Any], method: str) -> Any:
        message_type = self.get_message_type(method)
        if message_type is None:
            return message.get("params")
        try:
            return getattr(self._converter.structure(message, message_type), "params", None)
        except Exception as error:
            # A group of errors for attrs classes, plain ones from the hooks of unions.
            raise RequestError(types.ErrorCodes.InvalidParams, f"{method}: {_explain(error)}") from error

    def _receive_notification(self, message: dict[str, Any]) -> None:
        method = message["method"]
        if method == types.EXIT:
            self.handlers[types.EXIT](None)
            return
        if self.shutting_down or not self.initialized:
            logger.warning(
                "ignored %s: the server is %s", method, "not initialized" if not self.initialized else "shut down"
            )
            return
        if method == types.CANCEL_REQUEST:
            self._cancel(message.get("params"))
            return
        handler = self.handlers.get(method)
        if handler is None:
            if not method.startswith("$/"):
                logger.debug("ignored %s", method)
            return
        try:
            outcome = handler(self._params(message, method))
        except RequestError as error:
            logger.error("%s", error.message)
        except Exception:
            logger.exception("%s failed", method)
        else:
            if inspect.isawaitable(outcome):
                _report_failure(asyncio.ensure_future(outcome), method)

    def _cancel(self, params: Any) -> None:
        """Answer a request the client gave up and stop its work. One that is done or unknown is ignored."""
        request_id = _valid_id(params.get("id")) if isinstance(params, dict) else None
        if request_id is None or request_id not in self._open:
            return
        task = self._open.pop(request_id)
        self._respond_error(request_id, types.LSPErrorCodes.RequestCancelled, "cancelled by the client")
        if task is not None:
            task.cancel()

    # Outgoing

    def _task_ended(self, request_id: int | str, method: str, task: asyncio.Task[Any]) -> None:
        if self._open.get(request_id) is not task:  # Answered at its cancel; the id may already be in use again.
            if not task.cancelled():
                task.exception()
            return
        if task.cancelled():
            self._finish_with(
                request_id, method, RequestError(types.LSPErrorCodes.RequestCancelled, "cancelled by the server")
            )
        elif (error := task.exception()) is not None:
            self._finish_with(request_id, method, error)
        else:
            self._finish(request_id, method, task.result())

    def _finish(self, request_id: int | str, method: str, result: Any) -> None:
        try:
            payload = {"jsonrpc": "2.0", "id": request_id, "result": self._plain(method, result)}
            body = json.dumps(payload).encode("ascii")
        except Exception as error:
            self._finish_with(request_id, method, error)
            return
        self._open.pop(request_id, None)
        self._send(body)

    def _finish_with(self, request_id: int | str, method: str, error: BaseException) -> None:
        self._open.pop(request_id, None)
        if isinstance(error, RequestError):
            self._respond_error(request_id, error.code, error.message, error.data)
        else:
            logger.error("%s failed", method, exc_info=error)
            self._respond_error(
                request_id, types.ErrorCodes.InternalError, f"{method}: {type(error).__name__}: {error}"
            )

    def _plain(self, method: str, result: Any) -> Any:
        """The result as JSON values, by the response's own type where the protocol has one."""
        response_type = self.get_result_type(method)
        if response_type is None or result is None:
            return self._converter.unstructure(result)
        return self._converter.unstructure(response_type(id=0, result=result))["result"]

    def _respond_error(self, request_id: int | str | None, code: int, message: str, data: object = None) -> None:
        error: dict[str, object] = {"code": int(code), "message": message}
        if data is not None:
            error["data"] = data
        self._send(json.dumps({"jsonrpc": "2.0", "id": request_id, "error": error}).encode("ascii"))

    def _send_data(self, data: Any) -> None:
        """Notifications and requests of pygls' typed methods come through here."""
        self._send(json.dumps(self._converter.unstructure(data)).encode("ascii"))

    def _send(self, body: bytes) -> None:
        if self.connection is not None:
            self.connection.send(body)

    # Requests to the client

    async def request(self, method: str, params: Any, seconds: float = 30.0) -> Any:
        """The client's answer. Raises RequestError where the client refused or stayed silent."""
        future = self.send_request(method, params)
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise RequestError(types.LSPErrorCodes.RequestFailed, f"no answer to {method}") from None

    def ask(self, method: str, params: Any) -> None:
        """Send a request whose answer changes nothing here; a refusal is logged."""
        self.background(self.request(method, params), method)

    def background(self, work: Coroutine[Any, Any, Any], what: str) -> None:
        """Do something that nobody waits for; a failure is logged."""
        _report_failure(asyncio.ensure_future(work), what)

    def _receive_response(self, message: dict[str, Any]) -> None:
        request_id = _valid_id(message.get("id"))
        future = self._request_futures.pop(request_id, None) if request_id is not None else None
        response_type = self._result_types.pop(request_id, None) if request_id is not None else None
        if future is None or future.done():
            logger.debug("a response to no open request: %r", message.get("id"))
            return
        if (error := message.get("error")) is not None:
            details = error if isinstance(error, dict) else {}
            code = details.get("code", types.ErrorCodes.UnknownErrorCode)
            future.set_exception(
                RequestError(code if isinstance(code, int) else -1, str(details.get("message", error)))
            )
            return
        try:
            result = message.get("result")
            if response_type is not None:
                result = self._converter.structure({**message, "result": result}, response_type).result
            future.set_result(result)
        except Exception as problem:
            future.set_exception(RequestError(types.ErrorCodes.InvalidParams, _explain(problem)))

    # The end

    def cancel_all(self) -> None:
        """Answer every open request as cancelled and stop its work."""
        for request_id, task in list(self._open.items()):
            if task is not None and task is not asyncio.current_task():
                del self._open[request_id]
                self._respond_error(request_id, types.LSPErrorCodes.RequestCancelled, "the server is shutting down")
                task.cancel()

    def abandon_client_requests(self) -> None:
        """The client is gone: whoever waits for its answer is told."""
        for future in self._request_futures.values():
            if not future.done():
                with contextlib.suppress(Exception):
                    future.set_exception(RequestError(types.LSPErrorCodes.RequestFailed, "the client is gone"))
        self._request_futures.clear()


def _report_failure(task: asyncio.Future[Any], what: str) -> None:
    def ended(done: asyncio.Future[Any]) -> None:
        error = None if done.cancelled() else done.exception()
        if isinstance(error, RequestError):
            logger.warning("%s: %s", what, error.message)
        elif error is not None:
            logger.error("%s failed", what, exc_info=error)

    task.add_done_callback(ended)


def _valid_id(value: object) -> int | str | None:
    return value if isinstance(value, int | str) and not isinstance(value, bool) else None


def _explain(error: Exception) -> str:
    """What was wrong with a message, and where, in one line."""
    try:
        return "; ".join(cattrs.transform_error(error, path="message")[:3])
    except Exception:
        return f"{type(error).__name__}: {error}"
