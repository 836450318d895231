"""The harnesses import their files as `python benches/compare` and `python benches/end_to_end` do."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent / name) for name in ("compare", "end_to_end")]
