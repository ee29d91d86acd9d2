{{/* Names, labels, images. */}}

{{- define "mailraven.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{- define "mailraven.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* What selects pods. (dict "root" $ "component" "mx"); a component is optional. */}}
{{- define "mailraven.selector" -}}
app.kubernetes.io/name: {{ include "mailraven.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{- define "mailraven.labels" -}}
{{ include "mailraven.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: mailraven
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* metadata of an object. (dict "root" $ "component" "mx" "name" "…" "annotations" (dict) "labels" (dict)) */}}
{{- define "mailraven.metadata" -}}
name: {{ .name }}
namespace: {{ .namespace | default .root.Release.Namespace }}
labels:
  {{- include "mailraven.labels" . | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (.annotations | default dict) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The same without a namespace. */}}
{{- define "mailraven.clusterMetadata" -}}
name: {{ .name }}
labels:
  {{- include "mailraven.labels" . | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* (dict "root" $ "image" .Values.image) */}}
{{- define "mailraven.image" -}}
{{- $registry := .root.Values.global.imageRegistry | default .image.registry -}}
{{- $name := ternary .image.repository (printf "%s/%s" $registry .image.repository) (empty $registry) -}}
{{- if .image.digest -}}
{{- printf "%s@%s" $name .image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (.image.tag | default .root.Chart.AppVersion | toString) -}}
{{- end -}}
{{- end }}

{{- define "mailraven.imagePullSecrets" -}}
{{- with concat .Values.global.imagePullSecrets .Values.image.pullSecrets | uniq }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "mailraven.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "mailraven.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end }}

{{- define "mailraven.operatorServiceAccountName" -}}
{{- if .Values.operator.serviceAccount.create -}}
{{- .Values.operator.serviceAccount.name | default (printf "%s-operator" (include "mailraven.fullname" .)) -}}
{{- else -}}
{{- .Values.operator.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end }}

{{- define "mailraven.keysSecret" -}}
{{- .Values.keys.existingSecret | default (printf "%s-keys" (include "mailraven.fullname" .)) -}}
{{- end }}

{{- define "mailraven.devSecret" -}}
{{- printf "%s-dev" (include "mailraven.fullname" .) -}}
{{- end }}

{{/* name and key of the Secret with the database's URL */}}
{{- define "mailraven.databaseSecret" -}}
{{- if .Values.dev.enabled -}}
{name: {{ include "mailraven.devSecret" . }}, key: uri}
{{- else -}}
{name: {{ .Values.database.existingSecret }}, key: {{ .Values.database.key }}}
{{- end -}}
{{- end }}

{{- define "mailraven.migrationSecret" -}}
{{- if and .Values.database.migration.existingSecret (not .Values.dev.enabled) -}}
{name: {{ .Values.database.migration.existingSecret }}, key: {{ .Values.database.migration.key }}}
{{- else -}}
{{- include "mailraven.databaseSecret" . -}}
{{- end -}}
{{- end }}

{{/* name and keys of the Secret with the S3 keys */}}
{{- define "mailraven.s3Secret" -}}
{{- if .Values.dev.enabled -}}
{name: {{ include "mailraven.devSecret" . }}, accessKey: access-key, secretKey: secret-key}
{{- else -}}
{{- $s3 := .Values.blobs.s3 -}}
{name: {{ $s3.existingSecret }}, accessKey: {{ $s3.accessKeyKey }}, secretKey: {{ $s3.secretKeyKey }}}
{{- end -}}
{{- end }}

{{- define "mailraven.usesS3Keys" -}}
{{- if or .Values.dev.enabled (and (eq .Values.blobs.kind "s3") (eq .Values.blobs.s3.credentials "keys")) }}true{{ end -}}
{{- end }}

{{- define "mailraven.tlsSecret" -}}
{{- if .Values.tls.certManager.enabled -}}
{{- printf "%s-tls" (include "mailraven.fullname" .) -}}
{{- else -}}
{{- .Values.tls.existingSecret -}}
{{- end -}}
{{- end }}

{{- define "mailraven.hostname" -}}
{{- .Values.hostname | default (ternary .Values.dev.hostname "" .Values.dev.enabled) -}}
{{- end }}

{{- define "mailraven.migrationMode" -}}
{{- if eq .Values.migrations.mode "auto" -}}
{{- ternary "job" "hook" .Values.dev.enabled -}}
{{- else -}}
{{- .Values.migrations.mode -}}
{{- end -}}
{{- end }}

{{/* The roles: what each listens on, as container port and as default of the Service. */}}
{{- define "mailraven.roles" -}}
mx:
  ports: {smtp: 2525}
submission:
  ports: {submission: 5587, submissions: 5465}
imap:
  ports: {imap: 1143, imaps: 9993}
delivery:
  ports: {}
admin:
  ports: {http: 8080}
{{- end }}
