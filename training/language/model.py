"""starter-lm: a Llama whose training step reads a log once and all its questions after it.

The parameters carry the names and shapes of transformers' LlamaForCausalLM; `python training/lm.py
verify` shows that the logits are the same. The forward pass is written for one lesson (see
lessons.py). Questions attend to the prefix and to themselves, never to each other. Their positions
continue from the prefix's end.
"""

import json
import math
import os
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from safetensors.torch import save_file


@dataclass
class Shape:
    """The sizes of a model."""

    vocab: int
    hidden: int = 128
    layers: int = 4
    heads: int = 4
    inner: int = 384
    theta: float = 10000.0
    positions: int = 2048
    eps: float = 1e-5


class Block(torch.nn.Module):
    """One layer's weights; `StarterLm` computes with them."""

    def __init__(self, s):
        super().__init__()

        def linear(i, o):
            return torch.nn.Linear(i, o, bias=False)

        self.input_layernorm = torch.nn.RMSNorm(s.hidden, eps=s.eps)
        self.post_attention_layernorm = torch.nn.RMSNorm(s.hidden, eps=s.eps)
        self.self_attn = torch.nn.ModuleDict(
            {n: linear(s.hidden, s.hidden) for n in ("q_proj", "k_proj", "v_proj", "o_proj")}
        )
        self.mlp = torch.nn.ModuleDict(
            {
                "gate_proj": linear(s.hidden, s.inner),
                "up_proj": linear(s.hidden, s.inner),
                "down_proj": linear(s.inner, s.hidden),
            }
        )


class Packed:
    """Index tensors of one lesson. The tokens lie in order: the prefix, then the questions one
    after the other."""

    def __init__(self, lesson):
        self.prefix = len(lesson.prefix)
        lengths = [len(ids) for ids, _ in lesson.asks]
        self.count, self.longest = len(lengths), max(lengths)
        self.ids = torch.tensor(lesson.prefix + [t for ids, _ in lesson.asks for t in ids])
        self.position = torch.tensor(
            list(range(self.prefix)) + [self.prefix + i for n in lengths for i in range(n)]
        )
        pad, unpad, start = [], [], 0
        starts = []
        for row, n in enumerate(lengths):
            starts.append(start)
            pad += list(range(start, start + n)) + [start] * (self.longest - n)
            unpad += range(row * self.longest, row * self.longest + n)
            start += n
        self.later = torch.ones(self.longest, self.longest, dtype=torch.bool).triu(1)
        self.ahead = torch.full((self.prefix, self.prefix), -1e9).triu(1)
        # question tokens <-> (count, longest)
        self.pad, self.unpad = torch.tensor(pad), torch.tensor(unpad)
        self.line_of = torch.tensor(lesson.line_of)
        self.told, self.told_in = torch.tensor(lesson.told_in, dtype=torch.long).view(-1, 2).T
        read, target, decide = [], [], []
        for row, (ids, first) in enumerate(lesson.asks):
            for i in range(first, len(ids)):
                read.append(self.prefix + starts[row] + i - 1)
                target.append(ids[i])
                decide.append(i == first)
        self.read, self.target, self.decide = (
            torch.tensor(read),
            torch.tensor(target),
            torch.tensor(decide),
        )
        self.question_of = torch.tensor(
            [row for row, (ids, first) in enumerate(lesson.asks) for _ in range(first, len(ids))]
        )
        self.unpad_read = self.unpad[self.read - self.prefix]
        # a position at or after the prefix's end is one of the question's own tokens
        rows, cells, cites = [], [], []
        for row, looks in enumerate(lesson.looks):
            for at, spots in looks:
                cells += [(len(rows), spot) for spot in spots]
                rows.append(starts[row] + at)
                cites.append(at == lesson.asks[row][1] - 1)
        self.look_rows = torch.tensor(rows, dtype=torch.long)
        self.look_cites = torch.tensor(cites, dtype=torch.bool)
        self.look_mask = torch.zeros(len(rows), self.prefix + self.longest)
        if cells:
            self.look_mask[tuple(torch.tensor(cells).T)] = 1.0


def norm(x, layer):
    """RMSNorm, written out, because torch's own is slower on a CPU."""
    return x * (x.square().mean(-1, keepdim=True) + layer.eps).rsqrt() * layer.weight


class StarterLm(torch.nn.Module):
    """The model: weights, the training's forward pass, and the exported folder."""

    def __init__(self, shape, compute=torch.float32):
        super().__init__()
        self.shape = s = shape
        # the block whose first two heads learn where to look; `grow` keeps it in the middle
        self.looking_block = s.layers // 2
        self.compute = compute
        self.model = torch.nn.ModuleDict(
            {
                "embed_tokens": torch.nn.Embedding(s.vocab, s.hidden),
                "layers": torch.nn.ModuleList(Block(s) for _ in range(s.layers)),
                "norm": torch.nn.RMSNorm(s.hidden, eps=s.eps),
            }
        )
        for name, p in self.named_parameters():
            if p.ndim == 2:
                torch.nn.init.normal_(p, std=0.02 if "embed" in name else 1 / math.sqrt(p.shape[1]))
                if "o_proj" in name or "down_proj" in name:
                    p.data.mul_(1 / math.sqrt(2 * s.layers))
        width = s.hidden // s.heads
        angle = torch.outer(
            torch.arange(s.positions).float(),
            s.theta ** (-torch.arange(0, width, 2).float() / width),
        )
        self.cos, self.sin = (
            torch.cat((angle, angle), -1).cos(),
            torch.cat((angle, angle), -1).sin(),
        )

    @torch.no_grad()
    def smooth_times(self, ids, size):
        """Adds waves over 0..59 to the embeddings of a row of number tokens, so that near numbers
        are similar from the start.

        Finding the line of 00:26 is a question of order. With sixty unrelated vectors, the model
        learns that order very late.
        """
        wave = torch.outer(
            torch.arange(60).float(), torch.tensor([0.5, 1, 2, 4, 8]) * 2 * math.pi / 60
        )
        waves = torch.cat((wave.sin(), wave.cos()), 1)  # (60, 10)
        ways = torch.linalg.qr(torch.randn(self.shape.hidden, waves.shape[1]))[0].T
        added = waves @ ways
        self.model["embed_tokens"].weight[ids] += added * size / added.square().mean().sqrt()

    def turn(self, x, cos, sin):
        """Rotary positions; x: (heads, tokens, width)."""
        a, b = x.chunk(2, -1)
        return x * cos + torch.cat((-b, a), -1) * sin

    def attend(self, block, x, p, cos, sin, last):
        """x: (tokens, hidden) -> the same, and the questions' attention (heads, question tokens,
        prefix + longest question).

        In the last block, only the tokens whose logits are read attend. That saves a third of its
        work.
        """
        s, width, n = self.shape, self.shape.hidden // self.shape.heads, p.prefix
        w = torch.cat([block.self_attn[m].weight for m in ("q_proj", "k_proj", "v_proj")]).to(
            x.dtype
        )
        # (3, heads, tokens, width)
        qkv = F.linear(x, w).view(-1, 3, s.heads, width).permute(1, 2, 0, 3)
        qk, v = qkv.split([2, 1])
        parts = [n, len(x) - n]
        (q, k), v = self.turn(qk, cos, sin).unbind(0), v[0]
        (qp, qq), (kp, kq), (vp, vq) = q.split(parts, 1), k.split(parts, 1), v.split(parts, 1)

        def pad(t):
            return t.index_select(1, p.pad).view(s.heads * p.count, p.longest, -1)

        qq = qq * width**-0.5
        # (heads * count, longest, longest)
        near = pad(qq) @ pad(kq).transpose(1, 2)
        near = near.masked_fill(p.later, -1e9).view(s.heads, -1, p.longest)
        near = near.index_select(1, p.unpad_read if last else p.unpad)
        far = (qq.index_select(1, p.read - n) if last else qq) @ kp.transpose(1, 2)
        weight = torch.cat((far, near), -1).softmax(-1)
        far, near = weight.split([n, p.longest], -1)
        if last:
            near = torch.zeros(s.heads, len(p.pad), p.longest, dtype=x.dtype).index_copy(
                1, p.unpad_read, near
            )
            near = near.view(s.heads * p.count, p.longest, p.longest)
        else:
            near = pad(near)
        own = (
            (near @ pad(vq))
            .view(s.heads, -1, width)
            .index_select(1, p.unpad_read if last else p.unpad)
        )
        out = far @ vp + own
        if not last:
            head = ((qp * width**-0.5) @ kp.transpose(1, 2) + p.ahead).softmax(-1).to(x.dtype) @ vp
            out = torch.cat((head, out), 1)
        out = out.transpose(0, 1).reshape(-1, s.hidden)
        return F.linear(out, block.self_attn["o_proj"].weight.to(x.dtype)), weight

    def forward(self, p):
        """Logits at the tokens before the reply's tokens, hidden states after the first block and
        before the block with taught attention, attention weights."""
        x = self.model["embed_tokens"](p.ids)
        cos, sin = (t[p.position].to(self.compute) for t in (self.cos, self.sin))
        early = middle = looking = None
        for i, block in enumerate(self.model["layers"]):
            last = i == self.shape.layers - 1
            heard, weight = self.attend(
                block, norm(x, block.input_layernorm).to(self.compute), p, cos, sin, last
            )
            x = (x.index_select(0, p.read) if last else x) + heard
            y, mlp = norm(x, block.post_attention_layernorm).to(self.compute), block.mlp
            w = torch.cat((mlp["gate_proj"].weight, mlp["up_proj"].weight)).to(y.dtype)
            gate, up = F.linear(y, w).chunk(2, -1)
            x = x + F.linear(F.silu(gate) * up, mlp["down_proj"].weight.to(y.dtype))
            early = x if i == 0 else early
            middle = x if i == self.looking_block - 1 else middle
            looking = weight if i == self.looking_block else looking
        return (
            norm(x, self.model["norm"]) @ self.model["embed_tokens"].weight.T,
            early,
            middle,
            looking,
        )

    def export(self, folder, tokenizer_path, chat_template):
        """An ordinary Hugging Face folder, f16."""
        os.makedirs(folder, exist_ok=True)
        s = self.shape
        with open(tokenizer_path, encoding="utf-8") as file:
            tokenizer = file.read()
        ids = {t["content"]: t["id"] for t in json.loads(tokenizer)["added_tokens"]}
        end, pad = ids["<|end|>"], ids["<|pad|>"]
        files = {
            "config.json": {
                "architectures": ["LlamaForCausalLM"],
                "model_type": "llama",
                "vocab_size": s.vocab,
                "hidden_size": s.hidden,
                "intermediate_size": s.inner,
                "num_hidden_layers": s.layers,
                "num_attention_heads": s.heads,
                "num_key_value_heads": s.heads,
                "head_dim": s.hidden // s.heads,
                "max_position_embeddings": s.positions,
                "rms_norm_eps": s.eps,
                "rope_theta": s.theta,
                "hidden_act": "silu",
                "attention_bias": False,
                "mlp_bias": False,
                "attention_dropout": 0.0,
                "tie_word_embeddings": True,
                "initializer_range": 0.02,
                "bos_token_id": None,
                "eos_token_id": end,
                "pad_token_id": pad,
                "torch_dtype": "float16",
                "use_cache": True,
            },
            "generation_config.json": {
                "eos_token_id": end,
                "pad_token_id": pad,
                "do_sample": False,
                "max_new_tokens": 96,
            },
            "tokenizer_config.json": {
                "tokenizer_class": "PreTrainedTokenizerFast",
                "eos_token": "<|end|>",
                "pad_token": "<|pad|>",
                "bos_token": None,
                "additional_special_tokens": ["<|system|>", "<|user|>", "<|assistant|>"],
                "chat_template": chat_template,
                "clean_up_tokenization_spaces": False,
                "model_max_length": s.positions,
            },
        }
        for name, value in files.items():
            with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
                json.dump(value, out, indent=2)
                out.write("\n")
        with open(os.path.join(folder, "tokenizer.json"), "w", encoding="utf-8") as out:
            out.write(tokenizer)
        weights = {name: p.detach().half().contiguous() for name, p in self.named_parameters()}
        save_file(weights, os.path.join(folder, "model.safetensors.new"), metadata={"format": "pt"})
        os.chmod(os.path.join(folder, "model.safetensors.new"), 0o644)
        os.replace(
            os.path.join(folder, "model.safetensors.new"), os.path.join(folder, "model.safetensors")
        )

    def card(self):
        return {**asdict(self.shape), "parameters": sum(p.numel() for p in self.parameters())}
