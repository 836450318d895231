"""The log-mel spectrogram, exactly WhisperFeatureExtractor's."""

import numpy as np
import torch

from ear.shape import CHUNK, RATE


class Mel:
    """The numbers of WhisperFeatureExtractor for a batch, in torch."""

    def __init__(self):
        self.filters = torch.from_numpy(np.asarray(extractor().mel_filters, np.float32))
        self.window = torch.hann_window(400)

    def __call__(self, wave, louder=0.0):
        """`louder`: the difference in log10 of power between the loudest sound outside the window
        and the loudest within. In a long sound, the loudest frame of all sets the floor."""
        power = (
            torch.stft(wave, 400, 160, window=self.window, center=True, return_complex=True)[
                ..., :-1
            ].abs()
            ** 2
        )
        log = torch.clamp(self.filters.T @ power, min=1e-10).log10()
        log = torch.maximum(log, log.amax(dim=(1, 2), keepdim=True) + louder - 8.0)
        return (log + 4.0) / 4.0


def extractor():
    from transformers import WhisperFeatureExtractor

    return WhisperFeatureExtractor(
        feature_size=80, sampling_rate=RATE, hop_length=160, n_fft=400, chunk_length=CHUNK
    )
