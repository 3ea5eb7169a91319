"""Every test talks to real servers, which `tests.plugin` starts and stops."""
