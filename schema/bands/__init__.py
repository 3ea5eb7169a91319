"""Bands with their members, albums and songs: a cluster of three levels."""
