"""faster-whisper, which runs on CTranslate2: the same weights, greedy, without voice detection."""

import os

import numpy as np
from serve import serve


class Hearing:
    """Hears a file of f32 samples, 16,000 a second."""

    def __init__(self, asked):
        import faster_whisper

        device, _, number = asked.get("device", "cpu").partition(":")
        self.samples = np.fromfile(asked["sound"], np.float32)
        self.model = faster_whisper.WhisperModel(
            asked["converted"],
            device=device,
            device_index=int(number or 0),
            compute_type={"f32": "float32", "int8": "int8", "bf16": "bfloat16", "f16": "float16"}[
                asked.get("compute", "f32")
            ],
            cpu_threads=int(os.environ.get("OMP_NUM_THREADS", "1")),
        )
        self.about = f"faster-whisper {faster_whisper.__version__}"

    def hear(self):
        segments, _ = self.model.transcribe(
            self.samples,
            language="en",
            beam_size=1,
            temperature=0.0,
            condition_on_previous_text=False,
            without_timestamps=False,
            vad_filter=False,
        )
        return [segment.text.strip() for segment in segments]

    def once(self, _):
        self.hear()
        return len(self.samples) / 16000

    def check(self, _):
        return " ".join(self.hear())


if __name__ == "__main__":
    serve(Hearing)
