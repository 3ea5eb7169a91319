"""A reference for drafts that cannot be simpler, and sessions that run beside it."""

import pytest

pytest.register_assert_rewrite("tests.properties.sessions.drafts", "tests.properties.sessions.laws")
