"""Films with their cast and reviews: a cluster that shares its actors with others."""
