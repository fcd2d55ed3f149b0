"""The same map on a Ray cluster. Ray is an optional extra and is imported only here.

All nodes must see the output folder under the same path, as with any batch system.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from codehunch_training.corpus.folder import CorpusError, Tally
from codehunch_training.corpus.work import Plan, Unit, do_unit


def ray_results(plan: Plan, units: list[Unit], work: Path, jobs: int, address: str) -> Iterator[tuple[str, Tally]]:
    """Results as they arrive. ``address`` of a running cluster, or empty for one on this machine with ``jobs`` CPUs."""
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise CorpusError("--engine ray needs Ray: pip install 'codehunch[cluster]'") from error
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
    begun = not ray.is_initialized()
    if begun:
        local: dict[str, Any] = {"num_cpus": jobs, "include_dashboard": False} if not address else {"address": address}
        ray.init(log_to_driver=False, logging_level=logging.ERROR, **local)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False

    def on_node(row: dict[str, Any]) -> dict[str, Any]:
        unit: Unit = pickle.loads(row["unit"])
        return {"key": unit.key, "tally": pickle.dumps(do_unit(plan.work, plan.options, unit, work))}

    try:
        # Pickled here, as Ray's own tables hold plain values only.
        items = [{"unit": pickle.dumps(unit)} for unit in units]
        data = ray.data.from_items(items, override_num_blocks=min(len(units), 4 * max(jobs, 1))).map(on_node)
        for row in data.iter_rows():
            yield row["key"], pickle.loads(row["tally"])
    finally:
        if begun:
            ray.shutdown()
