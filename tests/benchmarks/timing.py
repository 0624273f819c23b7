"""Seconds of a call, and the machine that they depend on."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from ingest.embed.embedder import preferred_dtype

_CPU_FLAGS = ("avx2", "avx512_f", "avx512_vnni", "avx512_bf16", "amx_bf16")


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of one call: on the clock, and of all processor cores together."""

    wall: float
    cpu: float


def machine() -> dict[str, str]:
    """What the numbers depend on."""
    capabilities = torch.cpu.get_capabilities()
    return {
        "cpu": _cpu_name(),
        "flags": " ".join(flag for flag in _CPU_FLAGS if capabilities.get(flag)),
        "threads": str(torch.get_num_threads()),
        "dtype": str(preferred_dtype()).removeprefix("torch."),
        "torch": torch.__version__,
    }


def _cpu_name() -> str:
    about = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", about.read_text()) if about.exists() else None
    return found[1] if found else platform.processor()


def timed(call: Callable[[], object]) -> Timing:
    """How long a call takes."""
    wall, cpu = time.perf_counter(), _cpu_seconds()
    call()
    return Timing(time.perf_counter() - wall, _cpu_seconds() - cpu)


def _cpu_seconds() -> float:
    """Processor time of this process and of those that it has started and that have ended."""
    return sum(os.times()[:4])
