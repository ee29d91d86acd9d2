"""What all bodies of the admin API and all specs of the custom resources share."""

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """Closed to unknown fields: a misspelt setting is an error, not a silent default."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=True)
