"""`python -m config.healthcheck` fails unless the service answers on PORT; for the image."""

import http.client
import os
import sys


def main() -> int:
    """Whether `/healthz` answers, as an exit code."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", int(os.environ.get("PORT") or 8000), timeout=2
    )
    try:
        connection.request("GET", "/healthz")
        return 0 if connection.getresponse().status == http.client.OK else 1
    except OSError:
        return 1
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
