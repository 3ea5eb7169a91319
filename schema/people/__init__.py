"""People and the groups that they join: a cluster whose children point to what is outside."""
