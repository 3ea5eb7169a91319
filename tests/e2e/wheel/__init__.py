"""The wheel, installed where nothing of this repository is, in a project of somebody else."""
