"""The cluster that is measured: an order with its lines, and what it is compared with."""
