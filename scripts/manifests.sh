#!/bin/sh
# Renders the chart: manifests/install.yaml, and the files that show what a change of the chart changes
# (tests/chart/golden). With --check nothing is written: exit code 1 and the difference if something is old.
set -eu
cd "$(dirname "$0")/.."
mode=${1:-write}

if ! command -v helm >/dev/null 2>&1; then
    [ "$mode" = --check ] || { echo "manifests: helm is needed" >&2; exit 1; }
    echo "manifests: skipped, helm is not installed"
    exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

render() {
    helm template mailraven charts/mailraven --namespace mailraven --values "$@"
}

old=0
put() {
    if [ "$mode" != --check ]; then
        cp "$work/new" "$1"
    elif ! diff -u "$1" "$work/new"; then
        echo "$1 is old: make manifests" >&2
        old=1
    fi
}

{
    echo "# Rendered from charts/mailraven with manifests/values.yaml by \`make manifests\`; do not edit."
    echo "# Host name, S3 and the names of Secrets are examples: docs/kubernetes.md, \"Without helm\"."
    render manifests/values.yaml
} > "$work/new"
put manifests/install.yaml

for values in everything volume; do
    render "tests/chart/values/$values.yaml" --set crds.install=false > "$work/new"
    put "tests/chart/golden/$values.yaml"
done
exit $old
