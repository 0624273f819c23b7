"""The first tables: `ingest/home/tables.py` makes them, and `ingest/home/earlier.py` fills them.

The next file is `0002_*.py`, with revision "0002" and this one as down_revision.
"""

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Do nothing: a new database has the tables of today."""
