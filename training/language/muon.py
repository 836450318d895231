"""The Muon optimizer. Processes can share its matrices."""

import torch


class Muon(torch.optim.Optimizer):
    """Muon: momentum made orthogonal by Newton-Schulz steps (Jordan et al. 2024), for the blocks'
    matrices."""

    def __init__(self, params, lr=0.02, momentum=0.95):
        super().__init__(params, {"lr": lr, "momentum": momentum})
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p]["momentum"] = torch.zeros_like(p)

    @torch.no_grad()
    def step(self, part=0, parts=1):
        """Steps the matrices of this part. The others belong to other processes."""
        for group in self.param_groups:
            by_shape = {}
            for p in group["params"][part::parts]:
                by_shape.setdefault(tuple(sorted(p.shape)), []).append(p)
            for members in by_shape.values():
                pushes = []
                for p in members:
                    momentum = self.state[p]["momentum"].lerp_(p.grad, 1 - group["momentum"])
                    push = p.grad.lerp(momentum, group["momentum"])
                    pushes.append(push if p.shape[0] <= p.shape[1] else push.T)
                turned = orthogonal(torch.stack(pushes))
                for p, push in zip(members, turned):
                    push = push if p.shape[0] <= p.shape[1] else push.T
                    p.add_(push, alpha=-group["lr"] * max(1, p.shape[0] / p.shape[1]) ** 0.5)


def orthogonal(x, steps=5):
    """x: (members, rows, columns), rows <= columns -> nearly orthogonal rows."""
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        a = x @ x.transpose(1, 2)
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x
