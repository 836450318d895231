"""The parts of starter-clip's training; `clip.py` is their command line."""
