"""`python -m trivet`: the command line."""

from __future__ import annotations

import sys

from trivet.cli import main

sys.exit(main())
