"""The domain: plain functions, compared with simpler ones that say the same."""
