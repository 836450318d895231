"""The parts of starter-whisper's training; `whisper.py` is their command line."""
