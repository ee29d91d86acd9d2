#!/bin/sh
# Makes the Secrets that manifests/values.yaml names, where they are not there yet. No key is ever an argument or on disk.
#   AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… manifests/samples/secrets.sh [NAMESPACE]
set -eu
namespace=${1:-mailraven}

exists() { kubectl -n "$namespace" get secret "$1" >/dev/null 2>&1; }
encode() { printf %s "$1" | base64 | tr -d '\n'; }

if exists mailraven-keys; then
    echo "mailraven-keys is there"
else
    token=mr_$(openssl rand -base64 32 | tr '+/' '-_' | tr -d '=\n')
    master=$(openssl rand -base64 32)
    kubectl -n "$namespace" create -f - <<END
apiVersion: v1
kind: Secret
metadata: {name: mailraven-keys}
data:
  admin-token: $(encode "$token")
  master-key: $(encode "$master")
END
    echo "Keep a copy of its master-key apart from the backups of the database." >&2
fi

if exists mailraven-s3; then
    echo "mailraven-s3 is there"
else
    : "${AWS_ACCESS_KEY_ID:?}" "${AWS_SECRET_ACCESS_KEY:?}"
    kubectl -n "$namespace" create -f - <<END
apiVersion: v1
kind: Secret
metadata: {name: mailraven-s3}
data:
  access-key: $(encode "$AWS_ACCESS_KEY_ID")
  secret-key: $(encode "$AWS_SECRET_ACCESS_KEY")
END
fi
