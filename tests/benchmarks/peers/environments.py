"""Name of a side -> the Python that runs it, in an environment made from the package index."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ENVIRONMENTS = {"ours": "", "plain": "lancedb", "lance": "lancedb", "llama": "llama-index"}
"""Side -> environment; '' is the one that this runs in."""
_PACKAGES = {
    "lancedb": ("lancedb", "sentence-transformers"),
    "llama-index": (
        "llama-index-core==0.14.25",
        "llama-index-embeddings-huggingface==0.8.0",
        "llama-index-vector-stores-lancedb==0.6.0",
        "pandas",  # which the line above imports without asking for it
    ),
}
"""Versions that are not given here are those of constraints.txt."""


def make_python(side: str, folder: Path) -> str:
    """Return the Python of a side; installs its environment in the folder unless that was done before."""
    name = ENVIRONMENTS[side]
    if not name:
        return sys.executable
    python, done = folder / name / "bin" / "python", folder / name / "installed"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder / name)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "-c", "constraints.txt", *_PACKAGES[name]]
        subprocess.run(install, check=True)
        done.touch()
    return str(python)
