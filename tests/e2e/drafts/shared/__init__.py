"""Tests that harm no worker, and so share two of them."""
