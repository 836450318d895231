"""llama.cpp through its Python binding: the same GGUF file, greedy, no cache of prompts."""

import os
from itertools import count

import numpy as np
from serve import prompt, serve


class Tokens:
    """A prompt of `prompt` characters, which are tokens of the model, and a reply of `reply` tokens."""

    def __init__(self, asked):
        import llama_cpp

        threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
        self.model = llama_cpp.Llama(
            asked["path"],
            n_ctx=1024,
            n_batch=512,
            n_threads=threads,
            n_threads_batch=threads,
            n_gpu_layers=-1 if asked.get("device", "cpu") != "cpu" else 0,
            verbose=False,
        )
        self.asked = count()
        self.about = f"llama.cpp of llama-cpp-python {llama_cpp.__version__}"

    def say(self, n, length, reply):
        tokens = self.model.tokenize(prompt(n, length).encode(), add_bos=False)
        assert len(tokens) == length, f"{len(tokens)} tokens for {length} characters"
        self.model.reset()
        said = []
        while len(said) < reply:
            self.model.eval(tokens)
            tokens = [self.best()]
            said += tokens
        return said

    def best(self):
        """The likeliest next token."""
        import llama_cpp

        logits = llama_cpp.llama_get_logits_ith(self.model.ctx, -1)
        return int(np.ctypeslib.as_array(logits, (self.model.n_vocab(),)).argmax())

    def once(self, asked):
        self.say(next(self.asked), asked["prompt"], asked["reply"])
        return asked["prompt"] if asked["reply"] == 1 else asked["reply"]

    def check(self, _):
        return self.say(1_000_000, 64, 12)


if __name__ == "__main__":
    serve(Tokens)
