"""Fixtures of the whole suite."""

import os

from hypothesis import settings

from postgres import postgres, postgres_server  # noqa: F401 (fixtures are found by name)

# Where a change is judged the same examples are tried each time; at a desk new ones are looked for.
settings.register_profile("judged", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("judged")
