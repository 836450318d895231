"""Prints the distributions of transformers for the sampling tests of src/infer/sampling.rs.

Each line is one check: the settings, and the probability of each token after transformers' warpers in its own order.
"""

import torch
from transformers import GenerationConfig, GPT2Config, GPT2LMHeadModel

LOGITS = [1.0, 3.0, 2.0, float("-inf"), 0.0, 2.0, -1.5, 2.5]
CASES = [
    {"temperature": 1.0},
    {"temperature": 0.5},
    {"temperature": 1.0, "top_k": 3},
    {"temperature": 1.0, "top_p": 0.8},
    {"temperature": 2.0, "top_p": 0.45},
    {"temperature": 1.0, "min_p": 0.3},
    {"temperature": 0.7, "top_k": 5, "top_p": 0.9, "min_p": 0.25},
    {"temperature": 1.5, "top_k": 2, "min_p": 0.7},
]

model = GPT2LMHeadModel(GPT2Config(vocab_size=8, n_positions=8, n_embd=8, n_layer=1, n_head=1))
for case in CASES:
    settings = {"top_k": 0, "top_p": 1.0, **case}
    config = GenerationConfig(do_sample=True, eos_token_id=None, **settings)
    warpers = model._get_logits_processor(config, input_ids_seq_length=1, device="cpu")
    scores = warpers(torch.zeros(1, 1, dtype=torch.long), torch.tensor([LOGITS]))
    shares = scores.softmax(-1)[0].double().tolist()
    fields = "".join(
        f", {name}: Some({value})" for name, value in case.items() if name != "temperature"
    )
    extra = (
        f"Decoding {{ {fields[2:]}, ..hot({case['temperature']}) }}"
        if fields
        else f"hot({case['temperature']})"
    )
    print(f"        check({extra}, &[{', '.join(f'{share:.7f}' for share in shares)}]);")
