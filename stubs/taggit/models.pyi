from django.db import models

class TagBase(models.Model):
    name: models.CharField[str, str]
    slug: models.SlugField[str, str]

    class Meta:
        abstract = True

class Tag(TagBase): ...

class TaggedItemBase(models.Model):
    tag: models.ForeignKey[Tag, Tag]

    class Meta:
        abstract = True
