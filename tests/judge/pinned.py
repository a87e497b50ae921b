"""Makes the pinned packages importable; importing this module is enough.

`scripts/setup` installs them into `.tools/py`, which no Python looks into by itself.
"""

import sys
from pathlib import Path

PACKAGES = Path(__file__).resolve().parents[2] / ".tools" / "py"

if not PACKAGES.is_dir():
    sys.exit(f"{PACKAGES} is missing: run scripts/setup first")
if str(PACKAGES) not in sys.path:
    sys.path.insert(0, str(PACKAGES))
