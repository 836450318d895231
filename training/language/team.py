"""Processes that train one model together."""

import multiprocessing
import os
import sys

import torch


class Team:
    """Processes that read lessons of their own and step together. Parameters, momenta and gradients
    lie in shared memory.

    The first process makes the team, and `fork` copies it. Each process has its `part`, from 0.
    Between two `wait`s, each process writes only its own part.
    """

    def __init__(self, parameters, parts):
        self.parameters, self.part, self.parts = parameters, 0, parts
        self.gradients = torch.zeros(parts, sum(p.numel() for p in parameters)).share_memory_()
        # numbers from the first process to the others
        self.plan = torch.zeros(2, dtype=torch.float64).share_memory_()
        self.tokens = torch.zeros(parts, dtype=torch.float64).share_memory_()
        self.barrier = multiprocessing.get_context("fork").Barrier(parts)

    @property
    def first(self):
        """Whether this is the process that saves and reports."""
        return self.part == 0

    def fork(self):
        """Makes the other processes."""
        sys.excepthook = self.give_up
        for part in range(1, self.parts):
            if os.fork() == 0:
                self.part = part
                return

    def give_up(self, *error):
        """Breaks the barrier after an error, for which the other processes would wait."""
        self.barrier.abort()
        sys.__excepthook__(*error)

    def agree(self, numbers):
        """The numbers that all processes use: those of the first one."""
        if self.first:
            self.plan[:] = torch.tensor(numbers, dtype=torch.float64)
        self.wait()
        return self.plan.tolist()

    def update(self, state):
        """One step: each process orthogonalises its share of the matrices, and the first does the
        rest."""
        self.mean_gradients()
        muon, others = state.optimizers
        muon.step(self.part, self.parts)
        if self.first:
            torch.nn.utils.clip_grad_norm_(state.clipped, 1.0)
            others.step()
        for optimizer in state.optimizers:
            optimizer.zero_grad(set_to_none=True)

    def end(self):
        """Ends all processes but the first."""
        if not self.first:
            os._exit(0)

    def wait(self):
        """Waits for every process."""
        if self.parts > 1:
            self.barrier.wait(900)  # the first process may run an exam

    def mean_gradients(self):
        """Replaces every parameter's gradient by the mean over the team."""
        if self.parts == 1:
            return
        torch.cat(
            [
                p.grad.flatten() if p.grad is not None else torch.zeros(p.numel())
                for p in self.parameters
            ],
            out=self.gradients[self.part],
        )
        self.wait()
        at, whole = 0, self.gradients.mean(0)
        for p in self.parameters:
            p.grad = whole[at : at + p.numel()].view_as(p)
            at += p.numel()
