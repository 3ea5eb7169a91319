from django.db import models

class TagBase(models.Model):
    name: models.CharField[str, str]
    slug: models.SlugField[str, str]

    class Meta:
        abstract = True

class ItemBase(models.Model):
    class Meta:
        abstract = True

class TaggedItemBase(ItemBase):
    class Meta:
        abstract = True
