"""The loop that the three trainings share: steps by a schedule, averaged weights, a log, a curve, a
state to resume from, and the card.

A training describes its own parts as a `Training`; `run` does the rest:

  state      `State`: model, averaged model, optimizers, steps and time; saved every few minutes
  budget     `Steps` or `Minutes`: the completed share of the training, from 0 to 1
  crew       `Alone`, or several processes (language/team.py): who steps, and who reports

SIGTERM saves and stops. The same command continues.
"""

import copy
import os
import signal
import time

import torch

import cards

# Older names of the parts of a saved state.
RENAMED = {"ema": "average", "optimisers": "optimizers"}


class State:
    """A training between two steps.

    `heads` are modules that learn with the model and are discarded. Each is saved under its name.
    The gradients of the parameters `clipped` are clipped together. `average` follows the model's
    weights; it is examined and exported.
    """

    def __init__(self, path, curve, model, optimizers, clipped, **heads):
        self.path, self.curve_path = path, curve
        self.model, self.average, self.heads = model, copy.deepcopy(model), heads
        self.optimizers, self.clipped = optimizers, clipped
        self.peaks = [[group["lr"] for group in o.param_groups] for o in optimizers]
        self.step, self.spent, self.before = 0, 0.0, []

    def resume(self, start=None):
        """Restores and returns the saved state, or begins a new curve and returns None. `start` is
        the folder of the training's first weights."""
        self.before = cards.earlier(start)
        if not os.path.exists(self.path):
            if os.path.exists(self.curve_path):
                os.remove(self.curve_path)
            return None
        saved = torch.load(self.path, weights_only=False)
        saved = {RENAMED.get(name, name): part for name, part in saved.items()}
        self.model.load_state_dict(saved["model"])
        self.average.load_state_dict(saved.get("average", saved["model"]))
        for name, head in self.heads.items():
            head.load_state_dict(saved[name])
        for optimizer, part in zip(self.optimizers, saved["optimizers"]):
            optimizer.load_state_dict(part)
        self.step, self.spent = saved["step"], saved["spent"]
        self.before = saved.get("before") or self.before
        print(f"resumed at step {self.step}, {self.spent / 60:.1f} min", flush=True)
        return saved

    def save(self, own):
        """Writes the state with the training's own part, completely or not at all."""
        state = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            **{name: head.state_dict() for name, head in self.heads.items()},
            "optimizers": [o.state_dict() for o in self.optimizers],
            "step": self.step,
            "spent": self.spent,
            "before": self.before,
        }
        torch.save({**state, **own}, self.path + ".new")
        os.replace(self.path + ".new", self.path)

    def set_rate(self, rate):
        """Sets every learning rate to this fraction of its peak."""
        for optimizer, peaks in zip(self.optimizers, self.peaks):
            for group, peak in zip(optimizer.param_groups, peaks):
                group["lr"] = peak * rate

    @torch.no_grad()
    def follow(self, pull):
        """Moves the averaged weights by this fraction of the way to the model's."""
        for slow, fast in zip(self.average.parameters(), self.model.parameters()):
            slow.lerp_(fast, pull)
        for slow, fast in zip(self.average.buffers(), self.model.buffers()):
            slow.copy_(fast)

    def curve(self, **row):
        """Adds a row to the curve: steps, minutes, and these figures."""
        row = {"step": self.step, **row}
        os.makedirs(os.path.dirname(self.curve_path), exist_ok=True)
        new = not os.path.exists(self.curve_path)
        with open(self.curve_path, "a", encoding="utf-8") as out:
            out.write(",".join(row) + "\n" if new else "")
            out.write(",".join(map(str, row.values())) + "\n")


class Training:
    """The parts that differ between trainings. `run` calls these. `name` and `folder` name the card
    and its place; `save_every` is in seconds."""

    name, folder, save_every = "", "", 180
    # numbers that every process of a crew takes from the first process
    common = []

    def rate(self, state, done):
        """The learning rate as a fraction of its peak, when this part of the budget is spent."""
        raise NotImplementedError

    def pull(self, step):
        """The fraction of the averaged weights' move towards the model's after so many steps."""
        raise NotImplementedError

    def step(self, state, done):
        """Computes the gradients of a batch and leaves them in the parameters."""
        raise NotImplementedError

    def settle(self, state):
        """Keeps weights in bounds after a step."""

    def report(self, state, rate):
        """Logs, after a step."""

    def own(self):
        """The training's own part of the saved state."""
        return {}

    def export(self, state):
        """Writes the averaged weights into `folder` (none if it is ''). Returns the card's row and
        sentence: (training, data read, time, threads, figures)."""
        raise NotImplementedError


class Steps:
    """A budget of steps. The time spent is wall-clock time."""

    def __init__(self, steps):
        self.steps = steps

    def begin(self, state):
        """Begins to count the time, or goes on after an interruption."""
        self.began = time.time() - state.spent

    def spent(self, state):
        """Seconds in all."""
        return time.time() - self.began

    def done(self, state):
        """The part of the budget that is spent."""
        return state.step / self.steps


class Minutes:
    """A budget of computing time, so that a busy machine does not cut the schedule short. Saving
    does not count."""

    def __init__(self, minutes):
        self.seconds = minutes * 60

    def begin(self, state):
        """Begins to count the time, or goes on after an interruption."""
        self.clock = time.process_time()

    def spent(self, state):
        """Seconds in all."""
        before, self.clock = self.clock, time.process_time()
        return state.spent + self.clock - before

    def done(self, state):
        """The part of the budget that is spent."""
        return state.spent / self.seconds


class Every:
    """Becomes due after this many seconds, again and again."""

    def __init__(self, seconds):
        self.seconds, self.last = seconds, time.time()

    def due(self):
        """Whether it is time."""
        now = time.time()
        if now - self.last <= self.seconds:
            return False
        self.last = now
        return True


class Alone:
    """One process that does everything."""

    first = True

    def agree(self, numbers):
        """The numbers that all processes use: those of the first one."""
        return numbers

    def update(self, state):
        """One step of the optimizers."""
        torch.nn.utils.clip_grad_norm_(state.clipped, 1.0)
        for optimizer in state.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def wait(self):
        """Waits for every process."""

    def end(self):
        """Ends all processes but the first."""


def smooth(means, figures, keep):
    """Moves running means towards the newest figures. A new mean begins with its first figure."""
    for name, value in figures.items():
        means[name] = keep * means.get(name, value) + (1 - keep) * value


def save(training, state):
    """Saves the state, then exports the averaged weights with their card."""
    state.save(training.own())
    card = training.export(state)
    if training.folder:
        what, read, spent, threads, figures = card
        cards.write_training(
            training.name,
            training.folder,
            state.before,
            what,
            state.step,
            read,
            spent,
            threads,
            figures,
        )


def run(training, state, budget, crew):
    """Trains until the budget is spent, saves and exports. After SIGTERM it saves and exits."""
    stop, saving = [], Every(training.save_every)
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    budget.begin(state)
    while True:
        stopped, *training.common = crew.agree([bool(stop), *training.common])
        done = budget.done(state)
        if done >= 1 or stopped:
            break
        rate = training.rate(state, done)
        state.set_rate(rate)
        training.step(state, done)
        crew.update(state)
        state.step += 1
        crew.wait()
        if not crew.first:
            continue
        training.settle(state)
        state.follow(training.pull(state.step))
        state.spent = budget.spent(state)
        training.report(state, rate)
        if saving.due() and budget.done(state) < 1:
            save(training, state)
            budget.begin(state)
    crew.end()
    save(training, state)
    if stopped:
        print(f"stopped at step {state.step}; the same command continues", flush=True)
        raise SystemExit(143)
