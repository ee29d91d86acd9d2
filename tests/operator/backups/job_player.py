"""Plays the Job controller and the kubelet, which a bare API server lacks: runs a Job's command as a process here, and
writes the Pod and the status that they would write.
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mailraven.testing.command_line import ENVIRONMENT, MAILRAVEN
from mailraven.testing.kube_apiserver import MERGE, KubeApi

Document = dict[str, Any]
_REFERENCE = re.compile(r"\$\$|\$\((\w+)\)")


class JobPlayer:
    """`claims`: where the volumes of the claims are on this machine."""

    def __init__(self, api: KubeApi, namespace: str, directory: Path) -> None:
        self._api = api
        self._namespace = namespace
        self._directory = directory

    def claim(self, name: str) -> Path:
        """The directory of a PersistentVolumeClaim."""
        return self._directory / "claims" / name

    def run(self, job: Document) -> subprocess.CompletedProcess[str]:
        """To its end; the process is returned for what it printed."""
        pod = job["spec"]["template"]
        container = pod["spec"]["containers"][0]
        environment = self._environment(container.get("env") or ())
        places = self._volumes(pod["spec"], container)
        result = self._directory / "termination-log"
        result.write_text("")
        places[container["terminationMessagePath"]] = result
        arguments = [_placed(_expanded(one, environment), places) for one in container["args"]]
        done = subprocess.run(
            [MAILRAVEN, *arguments],
            env={**ENVIRONMENT, **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=self._directory,
        )
        self.end(job, done.returncode, result.read_text())
        return done

    def end(self, job: Document, code: int, message: str, reason: str = "") -> None:
        """As if its pod had ended so."""
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._pod(job, code, message, moment, reason)
        path = f"/apis/batch/v1/namespaces/{self._namespace}/jobs/{job['metadata']['name']}/status"
        kinds = ("SuccessCriteriaMet", "Complete") if code == 0 else ("FailureTarget", "Failed")
        conditions = [
            {
                "type": kind,
                "status": "True",
                "reason": "CompletionsReached" if code == 0 else "PodFailurePolicy",
                "message": "played",
                "lastProbeTime": moment,
                "lastTransitionTime": moment,
            }
            for kind in kinds
        ]
        status: Document = {"startTime": moment, "uncountedTerminatedPods": {}, "ready": 0, "terminating": 0}
        # Kubernetes wants the reason to win or to lose before the fact.
        self._api.request("PATCH", path, {"status": status | {"conditions": conditions[:1]}}, content_type=MERGE)
        count = {"succeeded": 1, "completionTime": moment} if code == 0 else {"failed": 1}
        self._api.request("PATCH", path, {"status": status | count | {"conditions": conditions}}, content_type=MERGE)

    def _pod(self, job: Document, code: int, message: str, moment: str, reason: str) -> None:
        template, name = job["spec"]["template"], f"{job['metadata']['name']}-pod"
        owner = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "name": job["metadata"]["name"],
            "uid": job["metadata"]["uid"],
        }
        labels = template["metadata"]["labels"] | {"batch.kubernetes.io/controller-uid": job["metadata"]["uid"]}
        path = f"/api/v1/namespaces/{self._namespace}/pods"
        metadata = {"name": name, "labels": labels, "ownerReferences": [owner | {"controller": True}]}
        self._api.request("POST", path, {"metadata": metadata, "spec": template["spec"]})
        terminated = {
            "exitCode": code,
            "reason": reason or ("Completed" if code == 0 else "Error"),
            "message": message,
            "startedAt": moment,
            "finishedAt": moment,
        }
        container = {
            "name": "mailraven",
            "image": "x",
            "imageID": "x",
            "ready": False,
            "restartCount": 0,
            "state": {"terminated": terminated},
        }
        status = {"phase": "Succeeded" if code == 0 else "Failed", "containerStatuses": [container]}
        self._api.request("PATCH", f"{path}/{name}/status", {"status": status}, content_type=MERGE)

    def _environment(self, variables: list[Document]) -> dict[str, str]:
        found: dict[str, str] = {}
        for one in variables:
            if "value" in one:
                found[one["name"]] = _expanded(one["value"], found)
            else:
                reference = one["valueFrom"]["secretKeyRef"]
                found[one["name"]] = self._secret(reference["name"], reference["key"]).decode()
        return found

    def _volumes(self, spec: Document, container: Document) -> dict[str, Path]:
        volumes = {one["name"]: one for one in spec.get("volumes") or ()}
        places = {}
        for mount in container.get("volumeMounts") or ():
            volume = volumes[mount["name"]]
            place = self._directory / "volumes" / mount["name"]
            if claim := volume.get("persistentVolumeClaim"):
                place = self.claim(claim["claimName"]) / mount.get("subPath", "")
            place.mkdir(parents=True, exist_ok=True)
            if secret := volume.get("secret"):
                for item in secret["items"]:
                    (place / item["path"]).write_bytes(self._secret(secret["secretName"], item["key"]))
            places[mount["mountPath"]] = place
        return places

    def _secret(self, name: str, key: str) -> bytes:
        found = self._api.request("GET", f"/api/v1/namespaces/{self._namespace}/secrets/{name}")
        return base64.b64decode(found["data"][key])


def _expanded(text: str, environment: dict[str, str]) -> str:
    """As the kubelet does it."""
    return _REFERENCE.sub(lambda match: environment.get(match[1], match[0]) if match[1] else "$", text)


def _placed(argument: str, places: dict[str, Path]) -> str:
    for path, place in places.items():
        if argument == path or argument.startswith(path + os.sep):
            return str(place) + argument[len(path) :]
    return argument
