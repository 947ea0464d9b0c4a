"""A form field for whole numbers that takes one way of writing them."""

import re
from typing import Any

from django import forms

_FORM = re.compile(r"-?[0-9]+")


class WholeNumberField(forms.IntegerField):
    """Refuses group separators, decimals and digits of other scripts.

    Django's field reads ``1.000``, which is a thousand in German, as 1, and ``1_000`` as 1000.
    """

    def to_python(self, value: Any) -> int | None:
        text = str(value).strip() if value not in self.empty_values else ""
        if text and not _FORM.fullmatch(text):
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(text)
