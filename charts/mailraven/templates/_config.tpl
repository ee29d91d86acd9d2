{{/* The server's settings: those of the values, then `config` over them. */}}
{{- define "mailraven.config" -}}
{{- $v := .Values -}}
{{- $secrets := "/run/secrets/mailraven" -}}
{{- $listeners := dict -}}
{{- range $listener := list "mx" "submission" "submissions" "imap" "imaps" "http" -}}
  {{- $mode := index $v.proxyProtocol $listener -}}
  {{- if ne $mode "off" -}}
    {{- $_ := set $listeners $listener (dict "proxy_protocol" $mode) -}}
  {{- end -}}
{{- end -}}
{{- $blobs := dict "kind" $v.blobs.kind -}}
{{- if $v.dev.enabled -}}
  {{- $endpoint := printf "%s-s3:9000" (include "mailraven.fullname" .) -}}
  {{- $_ := set $blobs "s3" (dict "endpoint" $endpoint "bucket" (first $v.dev.s3.buckets) "secure" false "secret_key_file" (printf "%s/s3-secret-key" $secrets)) -}}
{{- else if eq $v.blobs.kind "s3" -}}
  {{- $s3 := dict "endpoint" $v.blobs.s3.endpoint "bucket" $v.blobs.s3.bucket "secure" $v.blobs.s3.secure "credentials" $v.blobs.s3.credentials -}}
  {{- range $key, $value := dict "prefix" $v.blobs.s3.prefix "region" $v.blobs.s3.region "sts_endpoint" $v.blobs.s3.stsEndpoint -}}
    {{- if $value }}{{- $_ := set $s3 $key $value -}}{{- end -}}
  {{- end -}}
  {{- if include "mailraven.usesS3Keys" $ -}}
    {{- $_ := set $s3 "secret_key_file" (printf "%s/s3-secret-key" $secrets) -}}
  {{- end -}}
  {{- $_ := set $blobs "s3" $s3 -}}
{{- else -}}
  {{- $_ := set $blobs "directory" "/data/blobs" -}}
{{- end -}}
{{- $base := dict
    "hostname" (include "mailraven.hostname" .)
    "database" (dict "url_file" (printf "%s/database-url" $secrets))
    "secrets" (dict "key_file" (printf "%s/master-key" $secrets))
    "http" (dict "admin_token_file" (printf "%s/admin-token" $secrets))
    "blobs" $blobs -}}
{{- if $listeners }}{{- $_ := set $base "listeners" $listeners -}}{{- end -}}
{{- with $v.proxyProtocol.trustedNetworks }}{{- $_ := set $base "proxy" (dict "trusted_networks" .) -}}{{- end -}}
{{- if include "mailraven.tlsSecret" . -}}
  {{- $_ := set $base "tls" (dict "cert_file" "/run/secrets/mailraven-tls/tls.crt" "key_file" "/run/secrets/mailraven-tls/tls.key") -}}
{{- end -}}
{{- toYaml (mergeOverwrite $base (deepCopy $v.config)) -}}
{{- end }}
