"""The pod of a Job: what the chart says (image, environment, security), with what one resource adds."""

from pathlib import Path
from typing import Any

import yaml

from mailraven_operator.backups.commands import RESULT_FILE
from mailraven_operator.backups.target import Attachment
from mailraven_operator.outcome import Problem

CONTAINER = "mailraven"


def read_template(path: Path | None) -> dict[str, Any]:
    """A PodTemplateSpec with a container `mailraven`. Read each time: the chart may change it while we run. Raises
    Problem.
    """
    if path is None:
        raise _no_template("the operator has no template for backup Jobs: MAILRAVEN_OPERATOR_JOB_TEMPLATE names none")
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _no_template(f"the template of backup Jobs cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise _no_template("the template of backup Jobs is no YAML") from None
    if not isinstance(loaded, dict) or not isinstance(loaded.get("spec"), dict):
        raise _no_template("the template of backup Jobs has no spec")
    containers = loaded["spec"].get("containers")
    found = containers if isinstance(containers, list) else []
    if CONTAINER not in [one.get("name") for one in found if isinstance(one, dict)]:
        raise _no_template(f"the template of backup Jobs has no container {CONTAINER!r}")
    return loaded


def pod_template(
    template: dict[str, Any], arguments: list[str], attachment: Attachment, labels: dict[str, str]
) -> dict[str, Any]:
    """A PodTemplateSpec of which the template keeps nothing."""
    metadata = template.get("metadata") or {}
    spec = dict(template["spec"])
    spec["restartPolicy"] = "Never"  # a pod that failed stays, so that somebody can look at it
    spec["containers"] = [
        _container(one, arguments, attachment) if one.get("name") == CONTAINER else one for one in spec["containers"]
    ]
    if attachment.volumes:
        spec["volumes"] = _merged(spec.get("volumes"), attachment.volumes, "name")
    own = {"labels": {**(metadata.get("labels") or {}), **labels}}
    if metadata.get("annotations"):
        own["annotations"] = dict(metadata["annotations"])
    return {"metadata": own, "spec": spec}


def _container(container: dict[str, Any], arguments: list[str], attachment: Attachment) -> dict[str, Any]:
    own = dict(container)
    # Kubernetes puts a variable in the place of $(NAME), be it secret or not; $$ is a $.
    escaped = [one.replace("$", "$$") for one in arguments]
    own["args"] = [*escaped, *(own.get("args") or ())]  # the template may have some for all commands: --config
    own["terminationMessagePath"] = RESULT_FILE
    own["terminationMessagePolicy"] = "File"  # never the log: it is for those who may read logs
    if attachment.env:
        own["env"] = _merged(own.get("env"), attachment.env, "name")
    if attachment.mounts:
        own["volumeMounts"] = _merged(own.get("volumeMounts"), attachment.mounts, "mountPath")
    return own


def _merged(given: list[dict[str, Any]] | None, added: tuple[dict[str, Any], ...], key: str) -> list[dict[str, Any]]:
    """What is added takes the place of what has the same key: Kubernetes takes none twice."""
    names = {one[key] for one in added}
    return [*(one for one in given or () if one.get(key) not in names), *added]


def _no_template(text: str) -> Problem:
    return Problem("JobTemplateInvalid", text)
