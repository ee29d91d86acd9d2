#!/usr/bin/env bash
# `make e2e`: a kind cluster with MailRaven in it (kept for the next run), and the tests against it.
#
# MAILRAVEN_KIND_CLUSTER          its name (mailraven)
# MAILRAVEN_E2E_DELETE            1: delete it at the end
# MAILRAVEN_CERT_MANAGER_CHART    a chart archive in place of the published one
# MAILRAVEN_CERT_MANAGER_IMAGES   a file with the names of its images, which are loaded from docker
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in docker kind kubectl helm; do
    command -v "$tool" >/dev/null || { echo "make e2e needs $tool" >&2; exit 1; }
done
docker info >/dev/null 2>&1 || { echo "make e2e needs docker: its daemon does not answer" >&2; exit 1; }

cluster=${MAILRAVEN_KIND_CLUSTER:-mailraven}
namespace=mailraven
work=$(mktemp -d)
export MAILRAVEN_E2E_KUBECONFIG=$work/kubeconfig MAILRAVEN_E2E_NAMESPACE=$namespace KUBECONFIG=$work/kubeconfig
cleanup() {
    [[ ${MAILRAVEN_E2E_DELETE:-} != 1 ]] || kind delete cluster --name "$cluster" || true
    rm -rf "$work"
}
trap cleanup EXIT

step() {
    local started=$SECONDS
    "$@"
    echo "-- $1: $((SECONDS - started)) s"
}

create_cluster() {
    if kind get clusters 2>/dev/null | grep -qx "$cluster"; then
        kind export kubeconfig --name "$cluster" >/dev/null 2>&1
    else
        kind create cluster --name "$cluster" --config kind-config.yaml --wait 180s
    fi
}

load_images() {
    # Another name for the same image is another version to Kubernetes: what the upgrade goes to.
    docker tag mailraven-server:dev mailraven-server:next
    docker tag mailraven-operator:dev mailraven-operator:next
    local images=(mailraven-server:dev mailraven-operator:dev mailraven-server:next mailraven-operator:next) image
    # Where they are not here the cluster pulls them.
    for image in postgres:15 versity/versitygw:v1.8.0; do
        docker image inspect "$image" >/dev/null 2>&1 && images+=("$image")
    done
    if [[ -n ${MAILRAVEN_CERT_MANAGER_IMAGES:-} ]]; then
        mapfile -t -O "${#images[@]}" images <"$MAILRAVEN_CERT_MANAGER_IMAGES"
    fi
    kind load docker-image --name "$cluster" "${images[@]}" >"$work/load.log" 2>&1 || { cat "$work/load.log"; return 1; }
}

install_cert_manager() {
    local chart=(cert-manager --repo https://charts.jetstack.io)
    [[ -z ${MAILRAVEN_CERT_MANAGER_CHART:-} ]] || chart=("$MAILRAVEN_CERT_MANAGER_CHART")
    helm upgrade --install cert-manager "${chart[@]}" --namespace cert-manager --create-namespace \
        --set crds.enabled=true --wait --timeout 300s >/dev/null
}

install_mailraven() {
    kubectl get namespace "$namespace" >/dev/null 2>&1 || kubectl create namespace "$namespace"
    kubectl label namespace "$namespace" pod-security.kubernetes.io/enforce=restricted --overwrite >/dev/null
    helm upgrade --install mailraven charts/mailraven --namespace "$namespace" \
        --values tests/e2e/kind/values.yaml --wait --timeout 300s >/dev/null || {
        kubectl --namespace "$namespace" get pods,jobs
        kubectl --namespace "$namespace" get events --sort-by=.lastTimestamp | tail -n 20
        return 1
    }
    # The images have the same names as in an earlier run, but perhaps not the same content.
    kubectl --namespace "$namespace" rollout restart deployment >/dev/null
    kubectl --namespace "$namespace" rollout status deployment --timeout 300s >/dev/null
    # The version to upgrade to.
    helm package charts/mailraven --version 999.0.0 --app-version next --destination "$work" >/dev/null
    export MAILRAVEN_E2E_NEXT_CHART=$work/mailraven-999.0.0.tgz MAILRAVEN_E2E_NEXT_TAG=next
}

run_tests() {
    # One after the other: they take the same cluster apart.
    .venv/bin/pytest -m kind tests/e2e/kind "$@"
}

step make images
step create_cluster
step load_images
step install_cert_manager
step install_mailraven
step helm test mailraven --namespace "$namespace"
step run_tests "$@"
