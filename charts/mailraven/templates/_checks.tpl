{{/* What a schema cannot say: values that are right each by itself, but not together. */}}
{{- define "mailraven.check" -}}
{{- $v := .Values -}}
{{- if $v.dev.enabled -}}
  {{- if or $v.database.existingSecret $v.blobs.s3.endpoint $v.blobs.s3.existingSecret -}}
    {{- fail "dev.enabled brings its own Postgres and S3: set either it, or database.existingSecret and blobs.s3" -}}
  {{- end -}}
  {{- if ne $v.blobs.kind "s3" -}}
    {{- fail "dev.enabled brings an S3: blobs.kind has to stay s3" -}}
  {{- end -}}
  {{- if eq $v.migrations.mode "hook" -}}
    {{- fail "migrations.mode hook runs before the database of dev.enabled is there: use auto or job" -}}
  {{- end -}}
{{- else -}}
  {{- if not $v.hostname -}}
    {{- fail "hostname: needed, such as mx.example.org (or dev.enabled=true to try MailRaven out)" -}}
  {{- end -}}
  {{- if not $v.database.existingSecret -}}
    {{- fail "database.existingSecret: needed, a Secret with a postgresql:// URL under the key database.key (or dev.enabled=true to try MailRaven out)" -}}
  {{- end -}}
  {{- if eq $v.blobs.kind "s3" -}}
    {{- if not $v.blobs.s3.endpoint -}}
      {{- fail "blobs.s3.endpoint: needed, such as s3.eu-central-1.amazonaws.com" -}}
    {{- end -}}
    {{- if and (eq $v.blobs.s3.credentials "keys") (not $v.blobs.s3.existingSecret) -}}
      {{- fail "blobs.s3.existingSecret: needed, a Secret with the keys access-key and secret-key (or blobs.s3.credentials=workload)" -}}
    {{- end -}}
  {{- else if not $v.blobs.file.existingClaim -}}
    {{- fail "blobs.file.existingClaim: needed when blobs.kind is file, a ReadWriteMany claim" -}}
  {{- end -}}
{{- end -}}
{{- range $listener := list "mx" "submission" "submissions" "imap" "imaps" "http" -}}
  {{- if and (ne (index $v.proxyProtocol $listener) "off") (not $v.proxyProtocol.trustedNetworks) -}}
    {{- fail (printf "proxyProtocol.%s is %s: proxyProtocol.trustedNetworks has to name the load balancers" $listener (index $v.proxyProtocol $listener)) -}}
  {{- end -}}
{{- end -}}
{{- range $path := list "database.url" "secrets.key" "blobs.s3.secret_key" "backup.s3.secret_key" -}}
  {{- $node := $v.config -}}
  {{- range $name := splitList "." $path -}}
    {{- if kindIs "map" $node -}}{{- $node = get $node $name -}}{{- else -}}{{- $node = "" -}}{{- end -}}
  {{- end -}}
  {{- if $node -}}
    {{- fail (printf "config.%s is a secret, and config goes into a ConfigMap: use a Secret (database.existingSecret, keys.existingSecret, blobs.s3.existingSecret)" $path) -}}
  {{- end -}}
{{- end -}}
{{- if and $v.tls.certManager.enabled (not $v.tls.certManager.issuerRef.name) -}}
  {{- fail "tls.certManager.issuerRef.name: needed when tls.certManager.enabled is true" -}}
{{- end -}}
{{- if and $v.tls.certManager.enabled $v.tls.existingSecret -}}
  {{- fail "tls: either existingSecret or certManager.enabled" -}}
{{- end -}}
{{- if and $v.ingress.enabled (not $v.ingress.host) -}}
  {{- fail "ingress.host: needed when ingress.enabled is true" -}}
{{- end -}}
{{- if and $v.httpRoute.enabled (not $v.httpRoute.parentRefs) -}}
  {{- fail "httpRoute.parentRefs: needed when httpRoute.enabled is true" -}}
{{- end -}}
{{- range $role := list "mx" "submission" "imap" "delivery" "admin" -}}
  {{- $scale := (index $v $role).autoscaling -}}
  {{- if and $scale.enabled (lt (int $scale.maxReplicas) (int $scale.minReplicas)) -}}
    {{- fail (printf "%s.autoscaling.maxReplicas is less than minReplicas" $role) -}}
  {{- end -}}
{{- end -}}
{{- if and $v.operator.enabled (not $v.admin.enabled) (not $v.operator.serverUrl) -}}
  {{- fail "operator.enabled needs admin.enabled, or operator.serverUrl of another release" -}}
{{- end -}}
{{- end }}
