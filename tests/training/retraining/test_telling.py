"""What a run leaves in its folder for those who look from outside."""

from __future__ import annotations

import json
import os
from pathlib import Path

from codehunch_training.retraining.telling import Recorded, Silent


def test_progress_is_in_a_file_while_a_run_works(tmp_path: Path) -> None:
    file = tmp_path / "progress.json"
    recorded = Recorded(Silent(), file)
    assert not file.exists()
    recorded.stage("mining")
    assert json.loads(file.read_text()) == {"pid": os.getpid(), "stage": "mining", "done": 0, "total": 1, "detail": ""}
    recorded.progress(1, 4, "too soon to write again")
    assert json.loads(file.read_text())["done"] == 0
    recorded.stage("training")
    assert json.loads(file.read_text())["stage"] == "training"
    recorded.end()
    recorded.end()
    assert not file.exists()
