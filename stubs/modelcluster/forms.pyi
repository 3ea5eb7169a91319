from typing import Any

from django.forms import ModelForm

class ClusterForm(ModelForm[Any]): ...

def clusterform_factory(model: type[Any], form: type[Any] = ..., **kwargs: Any) -> Any: ...
