#!/usr/bin/env python
"""Django's command line, with this service's settings."""

import os
import sys

from django.core.management import execute_from_command_line

from config.production import NotFitError

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        execute_from_command_line(sys.argv)
    except NotFitError as exc:
        sys.exit(str(exc))
