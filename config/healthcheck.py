"""`python -m config.healthcheck` fails unless the service answers on UVICORN_PORT; for the image.

It asks `/healthz`, or what it is given: `python -m config.healthcheck readyz`.
"""

import http.client
import os
import sys


def main(path: str = "healthz") -> int:
    """Whether the service answers there with 200, as an exit code."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", int(os.environ.get("UVICORN_PORT") or 8000), timeout=4
    )
    try:
        connection.request("GET", f"/{path}")
        return 0 if connection.getresponse().status == http.client.OK else 1
    except OSError:
        return 1
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
