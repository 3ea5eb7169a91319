"""Django models as clusters: describe, load, make instances, validate, save."""
