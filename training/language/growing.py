"""Growing: a smaller model's weights in a larger one that computes the same."""

import torch


def grown_from(layers, old_layers):
    """For each block, the old one that it comes from, or None. For 4 grown to 6: [0, 1, None, 2,
    None, 3]."""
    new = layers - old_layers
    assert 0 <= new <= old_layers, f"{old_layers} layers cannot grow to {layers}"
    out = list(range(old_layers - new))
    for i in range(old_layers - new, old_layers):
        out += [None, i]
    assert out[layers // 2] == old_layers // 2, (
        "the block with taught attention must stay in the middle"
    )
    return out


@torch.no_grad()
def grow(model, weights, old_tokenizer, new_tokenizer):
    """Writes a smaller model's weights into a wider or deeper one that computes the same: new parts
    write zeros at first.

    Heads keep their width. New heads, inner units and channels begin with random inputs and zero
    outputs into the residual stream. So do new blocks, each of which lies before one of the last
    old ones. RMSNorm divides by a mean over more channels; its weights compensate for that. Tokens
    are matched by their text. A new token begins as the mean of the old ones that spelled it.
    """
    small = weights["model.norm.weight"].shape[0]
    ratio = (small / model.shape.hidden) ** 0.5
    known = old_tokenizer.get_vocab()
    origin = grown_from(
        model.shape.layers,
        1 + max(int(name.split(".")[2]) for name in weights if ".layers." in name),
    )
    for name, p in model.named_parameters():
        writes = "o_proj" in name or "down_proj" in name
        if ".layers." in name:
            parts = name.split(".")
            if origin[int(parts[2])] is None:
                if writes:
                    p.zero_()
                continue
            parts[2] = str(origin[int(parts[2])])
            old = weights[".".join(parts)].float()
        else:
            old = weights[name].float()
        if "embed_tokens" in name:
            p.zero_()
            for token, i in new_tokenizer.get_vocab().items():
                if token in known:
                    p[i, :small] = old[known[token]]
                else:
                    text = new_tokenizer.decode([i], skip_special_tokens=False)
                    ids = old_tokenizer.encode(text, add_special_tokens=False).ids
                    p[i, :small] = old[ids].mean(0) if ids else 0.0
        elif p.ndim == 1:
            p[:small] = old * ratio
        else:
            rows, columns = old.shape
            if writes:
                p[rows:] = 0.0  # new channels stay zero
                p[:, columns:] = 0.0  # as do new heads and inner units
            p[:rows, :columns] = old
