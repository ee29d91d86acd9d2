"""What all kinds share: the base of their models, object metadata, conditions, references to Secrets."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, ValidationError, field_validator
from pydantic.alias_generators import to_camel

from mailraven_api.domain import Labels
from mailraven_api.kubernetes.form import Form
from mailraven_api.kubernetes.rule import rules
from mailraven_api.model import Model

GROUP = "mailraven.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
FINALIZER = f"{GROUP}/finalizer"
PAUSE_ANNOTATION = f"{GROUP}/pause"
"""With the value "true" a resource is left as it is."""
ReclaimPolicy = Literal["Retain", "Delete"]


class KubeModel(Model):
    """Written in camelCase in YAML; the names of the fields in Python, which are those of the API, are read too."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    def set_fields(self, *without: str) -> dict[str, Any]:
        """What was set, under the names of the API; what was left out is the server's to decide."""
        return self.model_dump(exclude_unset=True, exclude=set(without))


class StatusModel(Model):
    """Part of a status. What another version of the operator wrote into it is passed over."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore")


class ObjectMeta(KubeModel):
    """Of any Kubernetes object. What is not named here is Kubernetes' own."""

    model_config = ConfigDict(extra="ignore")

    name: Annotated[str, Field(min_length=1, max_length=253)]
    namespace: str = ""
    """Empty outside of a cluster."""
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    labels: Labels = {}
    annotations: dict[str, str] = {}
    finalizers: tuple[str, ...] = ()

    @field_validator("name")
    @classmethod
    def _one_line(cls, name: str) -> str:
        if not name.isprintable() or "/" in name or name.strip() != name:
            raise ValueError("expected a name without spaces around it, slashes and control characters")
        return name

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.namespace, self.name


_Reason = Annotated[str, Field(max_length=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")]


class Condition(StatusModel):
    """One aspect of the state, as metav1.Condition has it."""

    type: Annotated[str, Field(min_length=1, max_length=316)]
    """Which aspect."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: _Reason
    """Why, in one word for programs."""
    message: Annotated[str, Field(max_length=32768)] = ""
    """Why, for people."""
    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """Generation of the resource that this is about."""
    last_transition_time: datetime
    """When the status of this condition last changed."""


Conditions = Annotated[
    tuple[Condition, ...],
    Field(max_length=16, json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}),
]


class ResourceStatus(StatusModel):
    """What the status of every kind has."""

    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """Generation of the resource that this status is about."""
    conditions: Conditions = ()
    """Ready comes last and sums up the others."""


_NAME = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
ObjectName = Annotated[
    str,
    Field(min_length=1, max_length=253),
    Form(rf"{_NAME}(\.{_NAME})*", "a name of lower-case letters, digits, hyphens and dots"),
]
SecretKey = Annotated[
    str, Field(min_length=1, max_length=253), Form(r"[-._a-zA-Z0-9]+", "letters, digits, hyphens, dots and underscores")
]


class ObjectReference(KubeModel):
    """An object of the same namespace."""

    name: ObjectName
    """Of the object."""


class PasswordSecretRef(ObjectReference):
    """A key of a Secret of the same namespace."""

    key: SecretKey = "password"
    """In the Secret's data."""


class KeySecretRef(ObjectReference):
    """A key of a Secret of the same namespace."""

    key: SecretKey = "key"
    """In the Secret's data."""


class LabelRequirement(KubeModel):
    """One requirement of a label selector."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "self.operator in ['In', 'NotIn'] ? has(self.values) && size(self.values) > 0 : !has(self.values)",
                "values belong to the operators In and NotIn, and these need some",
            )
        )
    )

    key: Annotated[str, Field(min_length=1, max_length=317)]
    """Of the label."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """What has to be the case."""
    values: Annotated[tuple[Annotated[str, Field(max_length=63)], ...], Field(max_length=32)] = ()
    """Of the label; for In and NotIn."""

    def matches(self, labels: dict[str, str]) -> bool:
        """Whether the labels of an object meet it."""
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values
            case "NotIn":
                return labels.get(self.key) not in self.values
            case "Exists":
                return self.key in labels
            case "DoesNotExist":
                return self.key not in labels


class LabelSelector(KubeModel):
    """Labels that an object has to have; all requirements together. An empty selector matches everything."""

    match_labels: Labels = {}
    """Labels with their values."""
    match_expressions: Annotated[tuple[LabelRequirement, ...], Field(max_length=16)] = ()
    """Requirements beyond that."""

    def matches(self, labels: dict[str, str]) -> bool:
        """Whether the labels of an object meet all of it."""
        return all(labels.get(key) == value for key, value in self.match_labels.items()) and all(
            requirement.matches(labels) for requirement in self.match_expressions
        )


class Resource(KubeModel):
    """An object of the API group as Kubernetes has it."""

    KIND: ClassVar[str]

    api_version: Literal["mailraven.io/v1alpha1"] = "mailraven.io/v1alpha1"
    kind: str
    metadata: ObjectMeta

    def document(self) -> dict[str, Any]:
        """As it is written in YAML: camelCase, and only what was set."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    @classmethod
    def parse(cls, document: dict[str, Any]) -> Self:
        """Raises ValidationError; `explain()` makes a text of it."""
        return cls.model_validate(document)


def explain(error: ValidationError) -> str:
    """What is wrong with a resource, field by field, without any value: "spec.maxUsers: Input should be ..."."""
    found = []
    for detail in error.errors(include_url=False, include_input=False, include_context=False):
        path = ""
        for part in detail["loc"]:
            path += f"[{part}]" if isinstance(part, int) else f".{part}"
        found.append(f"{path.lstrip('.')}: {problem(detail['type'], detail['msg'])}")
    return "; ".join(found)


def problem(kind: str, message: str) -> str:
    """The words for an error of pydantic."""
    match kind:
        case "extra_forbidden":
            return "unknown field"
        case "missing":
            return "missing"
        case _:
            return message.removeprefix("Value error, ")
