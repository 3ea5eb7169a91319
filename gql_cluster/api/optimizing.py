"""The optimizer: strawberry-django's, for which a model's kinds are known without its manager.

It looks for what a query asks of the kinds of a model only where the model's default manager is
model_utils' InheritanceManager. Rows come as their own kind here whatever the manager is, and
without this each would query for what it has more than the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from django.db.models import Model
from strawberry_django import optimizer
from strawberry_django.optimizer import DjangoOptimizerExtension
from strawberry_django.utils import inspect

_WITH_KINDS: WeakSet[type[Model]] = WeakSet()
_ASKED = "is_inheritance_manager"


def know_kinds(model: type[Model]) -> None:
    """Let the optimizer look at the kinds of a model, too, in whatever schema."""
    for module in (inspect, optimizer):
        asked: Callable[[Any], bool] | None = getattr(module, _ASKED, None)
        if asked is not None and not getattr(asked, "knows_kinds", False):
            setattr(module, _ASKED, _knowing(asked))
    _WITH_KINDS.add(model)


def make_optimizer() -> DjangoOptimizerExtension:
    """Return the optimizer of one operation."""
    # By default it prefetches past the model's own manager, and shows what that hides.
    return DjangoOptimizerExtension(prefetch_custom_queryset=True)


def _knowing(asked: Callable[[Any], bool]) -> Callable[[Any], bool]:
    def is_inheritance_manager(manager: Any) -> bool:
        return asked(manager) or getattr(manager, "model", None) in _WITH_KINDS

    is_inheritance_manager.knows_kinds = True  # type: ignore[attr-defined]
    return is_inheritance_manager
