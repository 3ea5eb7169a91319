"""The service's settings, with a channel layer that loses wake-ups.

CHAOS_LOSS says which part of them, from 0 to 1.
"""

from config.settings import *  # noqa: F403 - all of them
from config.settings import CHANNEL_LAYERS

CHANNEL_LAYERS = {
    "default": {**CHANNEL_LAYERS["default"], "BACKEND": "tests.e2e.chaos.lossy.LossyLayer"},
}
