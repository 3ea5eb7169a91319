"""Subscriptions as a project has them without the engine: Strawberry on channels."""
