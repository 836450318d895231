"""PyTorch with transformers on the work of a whole run: frames and sound from ffmpeg, CLIP, Whisper and a language model.

The work comes from a transcript (`benches/end_to_end/work.py`). Frames are decoded by an ffmpeg of their own, with the arguments of
elenchus, while others are embedded, 32 at a time; each frame and each label is embedded once. Prompts of one step share batches of eight.
"""

import os
import queue
import subprocess
import threading

import numpy as np
import torch
from serve import serve

DECODE = "-hide_banner -nostdin -nostats -v error -copyts -threads".split()


class Run:
    """All models of a cast, loaded, and runs with them."""

    def __init__(self, asked):
        from transformers import (
            AutoModelForCausalLM,
            AutoTokenizer,
            CLIPImageProcessor,
            CLIPModel,
            WhisperFeatureExtractor,
            WhisperForConditionalGeneration,
        )
        from transformers import PreTrainedTokenizerFast as Fast

        threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        self.decoding = max(1, threads // 2)
        kind = {"dtype": torch.float32}
        self.clip = CLIPModel.from_pretrained(asked["eye"], **kind).eval()
        self.prepare = CLIPImageProcessor.from_pretrained(asked["eye"])
        self.words = Fast.from_pretrained(asked["eye"])
        self.whisper = WhisperForConditionalGeneration.from_pretrained(asked["ear"], **kind).eval()
        self.features = WhisperFeatureExtractor.from_pretrained(asked["ear"])
        self.heard = Fast.from_pretrained(asked["ear"])
        self.mind = AutoModelForCausalLM.from_pretrained(asked["mind"], **kind).eval()
        self.chat = AutoTokenizer.from_pretrained(asked["mind"], padding_side="left")
        if self.chat.pad_token is None:
            self.chat.pad_token = self.chat.eos_token
        self.about = f"PyTorch {torch.__version__}"
        self.last = {}

    def once(self, asked):
        """Does the work of a run. Gives the number of its exchanges."""
        work = asked["run"]
        if work["frames"]:
            vectors = self.see(asked["video"], work, asked["size"])
            self.last["ranks"] = self.rank(work, vectors)
        elif work["ranks"]:
            self.last["ranks"] = self.rank(work, None)
        for start, end in work["sounds"]:
            self.last["heard"] = self.hear(asked["video"], start, end)
        self.last["said"] = [text for step in work["says"] for text in self.say(step)]
        return sum(work["counts"].values())

    def frames(self, video, work, size):
        """The frames from ffmpeg, decoded while others are computed."""
        width, height = size
        chain = f"select='{work['selection']}',scale={width}:{height},format=rgb24"
        command = [
            "ffmpeg",
            *DECODE,
            str(self.decoding),
            "-i",
            video,
            "-map",
            "0:v:0",
            "-vf",
            chain,
        ]
        command += (
            "-fps_mode passthrough -filter_threads 1 -f rawvideo -pix_fmt rgb24 pipe:1".split()
        )
        decoder, decoded = subprocess.Popen(command, stdout=subprocess.PIPE), queue.Queue(64)
        length = width * height * 3

        def fill():
            while len(raw := decoder.stdout.read(length)) == length:
                decoded.put(np.frombuffer(bytearray(raw), np.uint8).reshape(height, width, 3))
            decoded.put(None)

        threading.Thread(target=fill, daemon=True).start()
        while (frame := decoded.get()) is not None:
            yield frame
        decoder.wait()

    def see(self, video, work, size):
        """Unit vectors of the frames."""
        found, batch = [], []

        def flush():
            if batch:
                pixels = self.prepare(batch, return_tensors="pt")["pixel_values"]
                found.append(self.clip.get_image_features(pixel_values=pixels).pooler_output)
                batch.clear()

        for frame in self.frames(video, work, size):
            batch.append(frame)
            if len(batch) == 32:
                flush()
        flush()
        return unit(torch.cat(found))

    def rank(self, work, vectors):
        """The likeliest label of each ranking of a frame."""
        texts = sorted({text for _, labels in work["ranks"] for text in labels})
        read, at = [], {text: n for n, text in enumerate(texts)}
        for first in range(0, len(texts), 32):
            ids = self.words(texts[first : first + 32], padding=True, return_tensors="pt")
            ids.pop("token_type_ids", None)
            read.append(self.clip.get_text_features(**ids).pooler_output)
        if not read or vectors is None:
            return []
        labels, scale, best = unit(torch.cat(read)), self.clip.logit_scale.exp(), []
        for frame, own in work["ranks"]:
            if frame is not None and own and frame < len(vectors):
                scores = labels[[at[text] for text in own]] @ vectors[frame]
                best.append(own[int((scale * scores).softmax(0).argmax())])
        return best

    def hear(self, video, start, end):
        """The speech of a stretch of sound."""
        cut = ["-ss", str(start)] if start else []
        cut += ["-to", str(end)] if end else []
        command = ["ffmpeg", *DECODE, "1", *cut, "-i", video, "-vn", "-ac", "1", "-ar", "16000"]
        raw = subprocess.run([*command, "-f", "s16le", "pipe:1"], stdout=subprocess.PIPE).stdout
        samples = np.frombuffer(raw, np.int16).astype(np.float32) / 32768
        long = len(samples) > self.features.n_samples
        more = {"truncation": False, "padding": "longest", "return_attention_mask": True}
        given = self.features(
            samples, sampling_rate=16000, return_tensors="pt", **(more if long else {})
        )
        own = self.whisper.generation_config
        # elenchus decodes unlikely and repeated text again, with the same rules
        again = {
            "temperature": (0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
            "logprob_threshold": getattr(own, "logprob_threshold", None) or -1.0,
            "compression_ratio_threshold": getattr(own, "compression_ratio_threshold", None) or 2.4,
            "no_speech_threshold": getattr(own, "no_speech_threshold", None) or 0.6,
        }
        found = self.whisper.generate(**given, return_timestamps=True, **(again if long else {}))
        return self.heard.decode(found[0], skip_special_tokens=True)

    def say(self, step):
        """The replies of independent requests."""
        free = [one for one in step if not one["choices"]]
        said = []
        for first in range(0, len(free), 8):
            batch = free[first : first + 8]
            given = self.chat(
                [self.prompt(one) for one in batch],
                return_tensors="pt",
                padding=True,
                add_special_tokens=False,
            )
            given.pop("token_type_ids", None)
            most = max(one["tokens"] for one in batch)
            found = self.mind.generate(
                **given, max_new_tokens=most, do_sample=False, pad_token_id=self.chat.pad_token_id
            )
            replies = found[:, given["input_ids"].shape[1] :]
            said += self.chat.batch_decode(replies, skip_special_tokens=True)
        return said + [self.choose(one) for one in step if one["choices"]]

    def prompt(self, one):
        if one["raw"]:
            return one["messages"][0]["content"]
        return self.chat.apply_chat_template(
            one["messages"], tokenize=False, add_generation_prompt=True
        )

    def choose(self, one):
        """The likeliest of the choices."""
        prompt = self.chat(self.prompt(one), add_special_tokens=False)["input_ids"]
        own = [self.chat(text, add_special_tokens=False)["input_ids"] for text in one["choices"]]
        longest = max(map(len, own))
        rows = torch.tensor([prompt + ids + [0] * (longest - len(ids)) for ids in own])
        logs = self.mind(input_ids=rows).logits[:, len(prompt) - 1 : -1].log_softmax(-1)
        scores = [sum(float(logs[n, k, t]) for k, t in enumerate(ids)) for n, ids in enumerate(own)]
        return one["choices"][int(np.argmax(scores))]


def unit(x):
    return x / x.norm(dim=-1, keepdim=True)


if __name__ == "__main__":
    serve(Run)
