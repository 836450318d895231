"""Makes the parity fixtures of text encoders: sentence embedders with the modules of
sentence-transformers, and heads for pairs and classes, for BERT, RoBERTa, XLM-RoBERTa and
ModernBERT; decoders that embed (Qwen3, Gemma 3).

    OMP_NUM_THREADS=1 python tests/parity/make_encoder_fixtures.py tests/parity/fixtures [NAME…]
    python tests/parity/make_encoder_fixtures.py OUT random SEED COUNT

The second form makes further random checkpoints outside the repository. Vectors are those of
`sentence-transformers`, logits those of `transformers`.
"""

import json
import random
import shutil
import sys
import tempfile

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Transformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    BertTokenizerFast,
    Gemma3TextConfig,
    Gemma3TextModel,
    ModernBertConfig,
    ModernBertForSequenceClassification,
    ModernBertModel,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3ForSequenceClassification,
    Qwen3Model,
    RobertaConfig,
    RobertaForSequenceClassification,
    RobertaModel,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
    XLMRobertaModel,
)

from make_fixtures import ROOT, TEXT, expect, randomise

CLASSES = {
    "bert": (BertConfig, BertModel, BertForSequenceClassification),
    "roberta": (RobertaConfig, RobertaModel, RobertaForSequenceClassification),
    "xlm-roberta": (XLMRobertaConfig, XLMRobertaModel, XLMRobertaForSequenceClassification),
    "modernbert": (ModernBertConfig, ModernBertModel, ModernBertForSequenceClassification),
    "qwen3": (Qwen3Config, Qwen3Model, None),
    "gemma3_text": (Gemma3TextConfig, Gemma3TextModel, None),
}
ROTARY = ("modernbert", "qwen3", "gemma3_text")
# How the tokenizer of a family puts special tokens around one text and around two.
AROUND = {
    "roberta": ("<s> $A </s>", "<s> $A </s> </s> $B </s>"),
    "modernbert": ("<s> $A </s>", "<s> $A </s> $B:0 </s>:0"),
    "qwen3": ("$A </s>", "$A </s> $B </s>"),
    "gemma3_text": ("<s> $A </s>", "<s> $A </s> $B </s>"),
}
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
TEXTS = [
    "where did i last see the keys?",
    "Hello World!",
    "the train",
    "",
    "  a photo of a cat ",
    "somebody said the train leaves at nine, café 12345 " * 8,
]
PAIRS = [
    (
        "where are the keys?",
        [
            "the keys were on the kitchen table.",
            "Hello World!",
            "",
            "the train leaves at nine. " * 9,
        ],
    ),
    ("somebody said good morning " * 12, ["the train", "reading a book in the garden " * 9]),
]


def wordpiece():
    backend = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=False)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=160, special_tokens=special, show_progress=False)
    backend.train_from_iterator(TEXT, trainer)
    words = sorted(backend.get_vocab().items(), key=lambda x: x[1])
    return BertTokenizerFast(vocab=dict(words), do_lower_case=False)


def wrapped(backend, length):
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<s>",
        cls_token="<s>",
        eos_token="</s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        model_max_length=length,
        model_input_names=["input_ids", "attention_mask"],
    )


def byte_pairs(kind, length):
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=290,
        special_tokens=SPECIAL,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    backend.train_from_iterator(TEXT, trainer)
    if kind == "roberta":
        backend.post_processor = processors.RobertaProcessing(
            ("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False
        )
    else:
        single, pair = AROUND[kind]
        backend.post_processor = processors.TemplateProcessing(
            single=single, pair=pair, special_tokens=[("<s>", 0), ("</s>", 2)]
        )
    return wrapped(backend, length)


def unigram(length):
    backend = Tokenizer(models.Unigram())
    backend.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace("  ", " ")])
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=150, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False
    )
    backend.train_from_iterator(TEXT, trainer)
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    return wrapped(backend, length)


def parts(kind, seed, dtype, head, size):
    """A random model and its tokenizer."""
    config, plain, classifier = CLASSES[kind]
    length = size.pop("length")
    if kind == "bert":
        tokenizer = wordpiece()
        tokenizer.model_max_length = length
        more = {"max_position_embeddings": length, "type_vocab_size": 2}
    else:
        tokenizer = unigram(length) if kind == "xlm-roberta" else byte_pairs(kind, length)
        more = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
        if kind in ("roberta", "xlm-roberta"):
            more |= {"max_position_embeddings": length + 2, "type_vocab_size": 1}
            more |= {"layer_norm_eps": 1e-5}
        else:
            more |= {"max_position_embeddings": length}
    settings = config(vocab_size=len(tokenizer), **more, **size, **(head or {}))
    model = randomise((classifier if head else plain)(settings), seed)
    return model.to(dtype), tokenizer


def embedder(folder, seed, kind, dtype, size, pooling, dense=None, last=True, **more):
    model, tokenizer = parts(kind, seed, dtype, None, dict(size))
    with tempfile.TemporaryDirectory() as scratch:
        model.save_pretrained(scratch)
        tokenizer.save_pretrained(scratch)
        if pooling is None:  # a checkpoint without modules.json
            shutil.copytree(scratch, folder)
            whole = SentenceTransformer(scratch, device="cpu").float()
        else:
            lower = more.pop("lower", False)
            modules = [
                Transformer(scratch, do_lower_case=lower),
                Pooling(size["hidden_size"], **pooling),
            ]
            if dense:
                width = modules[1].get_embedding_dimension()
                modules.append(randomise(Dense(width, **dense), seed + 1))
            if last:
                modules.append(Normalize())
            whole = SentenceTransformer(modules=modules, device="cpu", **more)
            whole.to(dtype).save_pretrained(str(folder), create_model_card=False)
            if lower:
                file = folder / "sentence_bert_config.json"
                file.write_text(json.dumps({**json.loads(file.read_text()), "do_lower_case": True}))
            whole = whole.float()
    if kind in ROTARY:  # `to` rounds the frequencies, which are no weights
        kwargs = {"dtype": torch.float32}
        whole = SentenceTransformer(str(folder), device="cpu", model_kwargs=kwargs)
    rows = []
    for text in TEXTS:
        vector = torch.tensor(whole.encode(text))
        rows.append({"text": text, "vector": (vector / vector.norm()).numpy().tolist()})
    for purpose in {"query", "document"} & set(more.get("prompts", {})):
        for text in TEXTS[:2]:
            vector = torch.tensor(whole.encode(text, prompt_name=purpose))
            vector = (vector / vector.norm()).numpy().tolist()
            rows.append({"text": text, "purpose": purpose, "vector": vector})
    expect(folder, texts=rows)


def head(folder, seed, kind, dtype, size, labels, label2id=None, **more):
    names = {n: label for n, label in enumerate(labels)}
    head = {"id2label": names, "label2id": label2id or {v: k for k, v in names.items()}, **more}
    model, tokenizer = parts(kind, seed, dtype, head, dict(size))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    model = model.float()
    if kind in ROTARY:
        model = CLASSES[kind][2].from_pretrained(folder, dtype=torch.float32).eval()

    def logits(*texts):
        # as a batch, because a lone pair with an empty second text loses that text
        batch = tokenizer(*[[text] for text in texts], truncation=True, return_tensors="pt")
        with torch.no_grad():
            return model(**batch).logits[0]

    entails = [n for n, v in names.items() if v.lower().startswith("entail")]
    entails = entails or [n for v, n in (label2id or {}).items() if v.lower().startswith("entail")]
    cases = []
    if len(labels) == 1 or entails:
        for what, texts in PAIRS:
            rows = [logits(what, text) for text in texts]
            if entails:
                p = [row.softmax(-1)[entails[0]] for row in rows]
                scores = [
                    float(
                        row[entails[0]] - row[[n for n in names if n != entails[0]]].logsumexp(-1)
                    )
                    for row in rows
                ]
            else:
                scores = [float(row[0]) for row in rows]
                p = [row.sigmoid()[0] for row in rows]
            case = {"what": what, "texts": texts, "scores": scores}
            cases.append({**case, "probabilities": [float(x) for x in p]})
    else:
        multi = more.get("problem_type") == "multi_label_classification"
        for text in TEXTS:
            row = logits(text)
            p = row.sigmoid() if multi else row.softmax(-1)
            order = row.argsort(descending=True).tolist()
            case = {"what": text, "labels": [labels[n] for n in order]}
            case["scores"] = [float(row[n]) for n in order]
            cases.append({**case, "probabilities": [float(p[n]) for n in order]})
    expect(folder, cases=cases)


BEFORE = (
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and "
    'the Instruct provided. Note that the answer can only be "yes" or "no".<|im_end|>\n'
    "<|im_start|>user\n"
)
AFTER = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
TASK = "Given a web search query, retrieve relevant passages that answer the query"


def reranker(folder, seed, length, head):
    """Qwen3 Reranker, as its card uses it."""
    tokenizer = byte_pairs("qwen3", length)
    tokenizer.add_tokens(["yes", "no"])
    settings = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_attention_heads=4,
        num_key_value_heads=2,
        num_hidden_layers=2,
        head_dim=12,
        max_position_embeddings=length,
        pad_token_id=1,
        num_labels=1,
        tie_word_embeddings=not head,
    )
    made = Qwen3ForSequenceClassification if head else Qwen3ForCausalLM
    model = randomise(made(settings), seed)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    if not head:  # its configuration is that of any Qwen3
        (folder / "family").write_text("qwen3-reranker\n")
    plain = {"add_special_tokens": False}
    before, after = tokenizer(BEFORE, **plain).input_ids, tokenizer(AFTER, **plain).input_ids
    room = length - len(before) - len(after)
    yes, no = tokenizer.convert_tokens_to_ids(["yes", "no"])
    cases = []
    for what, texts in PAIRS:
        scores = []
        for text in texts:
            asked = f"<Instruct>: {TASK}\n<Query>: {what}\n<Document>: {text}"
            ids = before + tokenizer(asked, **plain).input_ids[:room] + after
            with torch.no_grad():
                logits = model(torch.tensor([ids])).logits
            row = logits[0] if head else logits[0, -1]
            scores.append(float(row[0]) if head else float(row[yes] - row[no]))
        case = {"what": what, "texts": texts, "scores": scores}
        case["probabilities"] = torch.tensor(scores).sigmoid().tolist()
        cases.append(case)
    expect(folder, cases=cases)


def size(hidden, inner, heads, layers, length, **more):
    return {
        "hidden_size": hidden,
        "intermediate_size": inner,
        "num_attention_heads": heads,
        "num_hidden_layers": layers,
        "length": length,
        **more,
    }


NLI = ["contradiction", "entailment", "neutral"]
F32, F16, BF16 = torch.float32, torch.float16, torch.bfloat16


def jobs():
    one, two, three = size(32, 48, 4, 2, 40), size(24, 40, 3, 3, 32), size(40, 32, 8, 1, 48)
    return {
        "embed-bert-dense": lambda f: embedder(
            f, 51, "bert", F32, one, {"pooling_mode": "mean"}, {"out_features": 20}, lower=True
        ),
        "embed-roberta": lambda f: embedder(f, 52, "roberta", F32, one, None),
        "embed-roberta-cls": lambda f: embedder(
            f,
            53,
            "roberta",
            BF16,
            two,
            {"pooling_mode": "cls"},
            {"out_features": 30, "bias": False, "activation_function": torch.nn.Identity()},
            last=False,
        ),
        "embed-roberta-two": lambda f: embedder(
            f,
            54,
            "roberta",
            F16,
            three,
            {"pooling_mode": ("mean", "max")},
            prompts={"query": "where is ", "document": ""},
            default_prompt_name="query",
        ),
        "embed-xlmr": lambda f: embedder(f, 55, "xlm-roberta", F32, two, {"pooling_mode": "mean"}),
        "embed-xlmr-dense": lambda f: embedder(
            f,
            56,
            "xlm-roberta",
            F16,
            three,
            {"pooling_mode": "lasttoken"},
            {"out_features": 12, "activation_function": torch.nn.GELU()},
        ),
        "embed-xlmr-plain": lambda f: embedder(f, 57, "xlm-roberta", BF16, one, None),
        "head-bert-pair": lambda f: head(f, 61, "bert", F32, one, ["LABEL_0"]),
        "head-bert-nli": lambda f: head(f, 62, "bert", F16, two, NLI),
        "head-bert-labels": lambda f: head(
            f,
            63,
            "bert",
            BF16,
            three,
            ["joy", "anger", "fear", "love"],
            problem_type="multi_label_classification",
        ),
        "head-roberta-pair": lambda f: head(f, 64, "roberta", F32, two, ["LABEL_0"]),
        "head-roberta-nli": lambda f: head(
            f, 65, "roberta", BF16, three, ["CONTRADICTION", "NEUTRAL", "ENTAILMENT"]
        ),
        "head-roberta-labels": lambda f: head(
            f, 66, "roberta", F16, one, ["negative", "neutral", "positive"]
        ),
        "head-xlmr-pair": lambda f: head(f, 67, "xlm-roberta", F16, one, ["score"]),
        "head-xlmr-nli": lambda f: head(
            f,
            68,
            "xlm-roberta",
            F32,
            two,
            ["LABEL_0", "LABEL_1"],
            {"not_entailment": 0, "entailment": 1},
        ),
        "embed-modern": lambda f: embedder(
            f,
            58,
            "modernbert",
            F32,
            {**one, "num_hidden_layers": 4, "local_attention": 12},
            {"pooling_mode": "cls"},
        ),
        "embed-modern-biases": lambda f: embedder(
            f,
            59,
            "modernbert",
            BF16,
            {
                **two,
                "local_attention": 8,
                "global_attn_every_n_layers": 2,
                "norm_bias": True,
                "attention_bias": True,
                "mlp_bias": True,
                "global_rope_theta": 500.0,
            },
            {"pooling_mode": "mean"},
            prompts={"query": "search_query: "},
            default_prompt_name="query",
        ),
        "embed-qwen3": lambda f: embedder(
            f,
            70,
            "qwen3",
            F32,
            {**one, "num_key_value_heads": 2, "head_dim": 12},
            {"pooling_mode": "lasttoken"},
            prompts={"query": "Instruct: find\nQuery:", "document": ""},
        ),
        "embed-gemma": lambda f: embedder(
            f,
            71,
            "gemma3_text",
            F16,
            {
                **one,
                "num_key_value_heads": 1,
                "head_dim": 8,
                "num_hidden_layers": 3,
                "sliding_window": 8,
                "sliding_window_pattern": 2,
                "use_bidirectional_attention": True,
            },
            {"pooling_mode": "mean"},
            {"out_features": 20, "bias": False, "activation_function": torch.nn.Identity()},
        ),
        "head-modern-pair": lambda f: head(
            f,
            72,
            "modernbert",
            F32,
            {**two, "local_attention": 10, "num_hidden_layers": 4},
            ["LABEL_0"],
            classifier_pooling="mean",
        ),
        "head-modern-labels": lambda f: head(
            f,
            73,
            "modernbert",
            F32,
            {**one, "local_attention": 10, "norm_bias": True},
            ["negative", "neutral", "positive"],
            classifier_bias=True,
            classifier_activation="silu",
        ),
        "rerank-qwen3": lambda f: reranker(f, 74, 700, head=False),
        "rerank-qwen3-head": lambda f: reranker(f, 75, 400, head=True),
        "head-xlmr-labels": lambda f: head(f, 69, "xlm-roberta", BF16, three, ["ham", "spam"]),
    }


def at_random(out, seed, count):
    """Checkpoints of random shapes."""
    for n in range(count):
        rng = random.Random(seed + n)
        folder = out / f"encoder-{seed + n}"
        shutil.rmtree(folder, ignore_errors=True)
        heads = rng.choice([1, 2, 3, 4, 6, 8])
        hidden = heads * rng.choice([4, 6, 8, 12, 16])
        shape = size(hidden, rng.randint(5, 130), heads, rng.randint(1, 4), rng.randint(6, 60))
        kind, dtype = rng.choice(list(CLASSES)), rng.choice([F32, F16, BF16])
        activation = rng.choice(["gelu", "gelu_new", "relu", "silu"])
        own = kind in ("modernbert", "gemma3_text")
        shape["hidden_activation" if own else "hidden_act"] = activation
        if kind == "modernbert":
            shape["local_attention"] = rng.choice([4, 10, 30])
            shape["global_attn_every_n_layers"] = rng.choice([1, 2, 3])
        if kind in ("qwen3", "gemma3_text"):
            shape |= {"num_key_value_heads": 1, "head_dim": rng.choice([4, 8, 12])}
        if kind == "gemma3_text":
            shape |= {"sliding_window": rng.choice([4, 12]), "sliding_window_pattern": 2}
            shape["use_bidirectional_attention"] = rng.random() < 0.7
        if n % 2 and CLASSES[kind][2]:
            labels = rng.choice(
                [["LABEL_0"], NLI, ["entailment", "not_entailment"], list("abcdefg")]
            )
            head(folder, seed + n, kind, dtype, shape, labels)
            continue
        modes = ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]
        mode = rng.choice([*modes, tuple(rng.sample(modes, 2)), None])
        dense = {"out_features": rng.randint(1, 40), "bias": rng.random() < 0.5}
        embedder(
            folder,
            seed + n,
            kind,
            dtype,
            shape,
            mode and {"pooling_mode": mode},
            dense if rng.random() < 0.5 else None,
            rng.random() < 0.5,
            lower=rng.random() < 0.3,
        )


def main():
    if sys.argv[2:3] == ["random"]:
        return at_random(ROOT, int(sys.argv[3]), int(sys.argv[4]))
    only = set(sys.argv[2:])
    for name, make in jobs().items():
        if not only or name in only:
            shutil.rmtree(ROOT / name, ignore_errors=True)
            make(ROOT / name)
            total = sum(f.stat().st_size for f in (ROOT / name).rglob("*") if f.is_file())
            print(name, total // 1024, "kB")


if __name__ == "__main__":
    main()
