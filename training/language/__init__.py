"""The parts of starter-lm's training; `lm.py` is their command line."""
