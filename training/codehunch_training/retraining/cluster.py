"""Several processes that train together: under ``torchrun`` gradients are averaged after every batch.

Process 0 alone mines, judges, exports and promotes; it sends the others what they train on, so no shared folder is
needed. Gloo on processors, NCCL where every process has a GPU of its own.
"""

from __future__ import annotations

import datetime
import os
from typing import Any

import attrs
import torch
from torch import Tensor, nn

_HOURS = 12


@attrs.frozen
class Cluster:
    """This process's place among the others; one process alone has rank 0 of 1."""

    rank: int = 0
    size: int = 1
    device: torch.device = attrs.field(factory=lambda: torch.device("cpu"))

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def share(self, value: Any) -> Any:
        """What process 0 has, in every process. Only between processes one person started: it is pickled."""
        if self.size == 1:
            return value
        import torch.distributed as distributed

        held = [value]
        distributed.broadcast_object_list(held, src=0, device=self.device)
        return held[0]

    def average_gradients(self, model: nn.Module) -> None:
        """Replace every gradient by its mean over the processes, in one message."""
        if self.size == 1:
            return
        import torch.distributed as distributed

        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        flat = torch.cat([_gradient(parameter).reshape(-1) for parameter in parameters])
        distributed.all_reduce(flat)
        flat /= self.size
        at = 0
        for parameter in parameters:
            parameter.grad = flat[at : at + parameter.numel()].view_as(parameter)
            at += parameter.numel()

    def copy_weights(self, model: nn.Module) -> None:
        """Give every process the weights of process 0."""
        if self.size == 1:
            return
        import torch.distributed as distributed

        for tensor in model.state_dict().values():
            distributed.broadcast(tensor, src=0)

    def agree(self, done: float, stop: bool) -> tuple[float, bool]:
        """Progress and wish to stop as process 0 sees them: all leave the loop at the same step."""
        if self.size == 1:
            return done, stop
        import torch.distributed as distributed

        told = torch.tensor([done, float(stop)], dtype=torch.float64, device=self.device)
        distributed.broadcast(told, src=0)
        return float(told[0]), bool(told[1])

    def leave(self) -> None:
        """Take leave of the others."""
        if self.size > 1:
            import torch.distributed as distributed

            distributed.destroy_process_group()


def join() -> Cluster:
    """The cluster the environment of ``torchrun`` describes, else this process alone; on a GPU where there is one.

    GPUs are those of CUDA and ROCm. Where they do not suffice for all processes of a machine none is taken, for
    processes on GPUs and on processors cannot exchange gradients; machines must be alike in that.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    gpu = torch.cuda.is_available()
    if size == 1:
        return Cluster(device=torch.device("cuda" if gpu else "cpu"))
    import torch.distributed as distributed

    local = int(os.environ.get("LOCAL_RANK", "0"))
    own_gpu = gpu and torch.cuda.device_count() >= max(local + 1, int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    device = torch.device("cuda", local) if own_gpu else torch.device("cpu")
    if own_gpu:
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if own_gpu else "gloo", timeout=datetime.timedelta(hours=_HOURS))
    return Cluster(int(os.environ["RANK"]), size, device)


def _gradient(parameter: nn.Parameter) -> Tensor:
    return parameter.grad if parameter.grad is not None else torch.zeros_like(parameter)
