"""The graphs of a bundle inside MLServer: ``mlserver start DIR`` over what ``codehunch bundles export`` wrote.

Runs in MLServer's process, with ``pip install mlserver codehunch``; nothing else imports this module.
"""

from __future__ import annotations

import asyncio
from typing import Any

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.errors import InferenceError as RefusedRequest
from mlserver.types import InferenceRequest, InferenceResponse
from mlserver.utils import get_model_uri

from codehunch.inference.remote import DATATYPES
from codehunch.inference.session import create_session


class GraphRuntime(MLModel):  # type: ignore[misc]
    """One ONNX graph; tensors in, tensors out."""

    async def load(self) -> bool:
        """Open the graph that the settings name."""
        uri = await get_model_uri(self._settings)
        self._session = await asyncio.to_thread(create_session, uri)
        self._inputs = {node.name for node in self._session.get_inputs()}
        self._outputs = [node.name for node in self._session.get_outputs()]
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Run the graph. What it cannot be given is the caller's mistake: status 400, with the reason."""
        wanted = [output.name for output in payload.outputs or ()] or self._outputs
        feed: dict[str, Any] = {}
        for each in payload.inputs:
            if each.datatype not in DATATYPES:
                raise RefusedRequest(f"no graph takes {each.datatype}")
            feed[each.name] = NumpyCodec.decode_input(each).astype(DATATYPES[each.datatype], copy=False)
        missing = sorted(self._inputs - set(feed)) + sorted(set(wanted) - set(self._outputs))
        if missing:
            raise RefusedRequest(f"the graph and the request differ in {', '.join(missing)}")
        try:
            found = await asyncio.to_thread(self._session.run, wanted, feed)
        except Exception as error:  # onnxruntime's exceptions share no base but Exception.
            raise RefusedRequest(str(error)[:500]) from error
        outputs = [NumpyCodec.encode_output(name, array) for name, array in zip(wanted, found, strict=True)]
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=outputs)
