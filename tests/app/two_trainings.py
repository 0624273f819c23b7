"""Under torchrun: run several commands, each a JSON list, in a process that loads the libraries only once."""

from __future__ import annotations

import json
import sys

from app.commands.main import main

for arguments in map(json.loads, sys.argv[1:]):
    sys.argv = ["citeloop", *arguments]
    try:
        main()
    except SystemExit as stopped:
        if stopped.code:
            raise
