"""``tengri resume RUN --set run.minutes=…``: extend a run beyond its plan.

The steps that were taken stay as they are; another leg of the schedule is appended, with a warm
restart of the learning rate (Loshchilov & Hutter 2017, arXiv:1608.03983). Only settings that no
taken step depends on may be changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tengri.errors import ConfigError
from train import config as configs
from train.config import Config
from train.identity import CHANGEABLE
from train.recovery import differing
from train.runfolder import RunFolder
from train.schedule import Costs, Phase, Plan, seconds_per_step

LONGER = ("run.minutes", "run.steps")


def change(folder: RunFolder, overrides: Sequence[str]) -> list[str]:
    """Change the settings of a run, and its plan where it is to last longer; return what was done.

    The caller holds the lock of the folder.

    Raises
    ------
    ConfigError
        A setting that steps already taken depend on, an unknown one, less time than planned, or
        a run that ends with a polish.
    """
    old = folder.config()
    new = configs.overridden(old, overrides)
    changed = differing(configs.to_dict(old), configs.to_dict(new))
    fixed = [name for name in changed if name not in CHANGEABLE]
    if fixed:
        raise ConfigError(
            f"--set {fixed[0]}: the steps that were taken depend on it. A run can change "
            f"{', '.join(CHANGEABLE)}; for all else start a new run (run.start takes over the "
            "weights)."
        )
    messages = [f"{name}: {changed[name][0]} → {changed[name][1]}" for name in changed]
    if any(name in changed for name in LONGER):
        messages += _lengthen(folder, old, new)
    if changed:
        folder.write_config(new)
    return messages


def _lengthen(folder: RunFolder, old: Config, new: Config) -> list[str]:
    """Append a leg to the plan; a finished run is open again."""
    stored = folder.plan()
    if stored is None:
        return []  # nothing has been planned: the first start will plan with the new settings
    plan, costs = Plan.from_dict(stored["plan"]), Costs(**stored["costs"])
    if plan.polish:
        raise ConfigError(
            "This run ends with a polish (optimiser.polish), which no step can follow: start a "
            "new run from it with run.start."
        )
    more = _more_steps(new, plan, costs, planned=stored.get("minutes", old.run.minutes))
    if more < 1:
        raise ConfigError(
            f"run.minutes and run.steps are those of the whole run, which has {plan.steps} steps "
            "planned: give more than that to go on longer."
        )
    folder.lengthen(extended(plan, new, more), new.run.minutes)
    return [f"{more} more steps after the {plan.steps} planned ones, with a warm restart"]


def _more_steps(new: Config, plan: Plan, costs: Costs, planned: float) -> int:
    if new.run.steps:
        return new.run.steps - plan.steps
    return int(60.0 * (new.run.minutes - planned) / seconds_per_step(new, plan, costs))


def extended(plan: Plan, config: Config, more: int) -> Plan:
    """Return a plan with ``more`` steps of the last batch size, from pools of their own."""
    leg = Phase(more, plan.phases[-1].batch, plan.pools)
    return replace(plan, phases=(*plan.phases, leg), legs=(*plan.legs_or_whole, more))
