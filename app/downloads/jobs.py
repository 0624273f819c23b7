"""Downloads as jobs: a row with progress for pages, while a separate process downloads and tries the model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ingest.home.database import now
from ingest.home.job_store import BaseJob, BaseJobStore, new_job_id
from ingest.home.tables import download_jobs


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadJob(BaseJob):
    """A download with its trial. model_id: at the hub. num_bytes of size bytes are here."""

    model_id: str
    num_bytes: int = 0
    size: int = 0


class DownloadJobStore(BaseJobStore[DownloadJob]):
    """The downloads of one home folder."""

    worker, log = "app.downloads.worker", "downloads.log"

    def __init__(self, home: Path) -> None:
        super().__init__(home, DownloadJob, download_jobs)

    def add(self, model_id: str) -> DownloadJob:
        """Queue a download."""
        return self.put(DownloadJob(id=new_job_id(), created_at=now(), model_id=model_id))
