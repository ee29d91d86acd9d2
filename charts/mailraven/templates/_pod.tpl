{{/* What pods have in common. */}}

{{- define "mailraven.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "mailraven.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* Where the pod may run, and how it is called; the role's own goes before `pod`. (dict "root" $ "of" … "component" …) */}}
{{- define "mailraven.scheduling" -}}
{{- $own := .of | default dict -}}
{{- $common := .root.Values.pod -}}
{{- range $key := list "nodeSelector" "tolerations" "affinity" "priorityClassName" "runtimeClassName" "dnsPolicy" "dnsConfig" "hostAliases" }}
{{- with get $own $key | default (get $common $key) }}
{{ dict $key . | toYaml }}
{{- end }}
{{- end }}
{{- end }}

{{- define "mailraven.spread" -}}
{{- $context := . -}}
topologySpreadConstraints:
{{- with get (.of | default dict) "topologySpreadConstraints" | default .root.Values.pod.topologySpreadConstraints }}
  {{- toYaml . | nindent 2 }}
{{- else }}
  {{- range $topology := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ $topology }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "mailraven.selector" $context | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}
{{- end }}

{{/* Labels and annotations of a pod. (dict "root" $ "of" … "component" … "annotations" (dict)) */}}
{{- define "mailraven.podMetadata" -}}
labels:
  {{- include "mailraven.labels" . | nindent 2 }}
  {{- with merge (dict) (.podLabels | default dict) (get (.of | default dict) "labels" | default dict) .root.Values.pod.labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (.annotations | default dict) (get (.of | default dict) "annotations" | default dict) .root.Values.pod.annotations .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Environment, mounts and volumes of whatever runs the server's image with its settings. */}}
{{- define "mailraven.serverEnv" -}}
{{- if include "mailraven.usesS3Keys" .root }}
{{- $s3 := include "mailraven.s3Secret" .root | fromYaml }}
- name: MAILRAVEN_BLOBS__S3__ACCESS_KEY
  valueFrom:
    secretKeyRef: {name: {{ $s3.name }}, key: {{ $s3.accessKey }}}
{{- end }}
{{- with concat .root.Values.pod.extraEnv (get (.of | default dict) "extraEnv" | default list) }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "mailraven.serverMounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: config, mountPath: /etc/mailraven, readOnly: true}
- {name: secrets, mountPath: /run/secrets/mailraven, readOnly: true}
{{- if include "mailraven.tlsSecret" .root }}
- {name: tls, mountPath: /run/secrets/mailraven-tls, readOnly: true}
{{- end }}
{{- if and (eq .root.Values.blobs.kind "file") (not .root.Values.dev.enabled) }}
- {name: data, mountPath: /data}
{{- end }}
{{- with concat .root.Values.pod.extraVolumeMounts (get (.of | default dict) "extraVolumeMounts" | default list) }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* (dict "root" $ "of" … "token" true): token: with the admin token */}}
{{- define "mailraven.serverVolumes" -}}
{{- $root := .root -}}
{{- $database := include "mailraven.databaseSecret" $root | fromYaml -}}
- name: tmp
  emptyDir: {sizeLimit: 1Gi}
- name: config
  configMap: {name: {{ include "mailraven.fullname" $root }}}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      - secret:
          name: {{ include "mailraven.keysSecret" $root }}
          items:
            - {key: master-key, path: master-key}
            {{- if .token }}
            - {key: admin-token, path: admin-token}
            {{- end }}
      - secret:
          name: {{ $database.name }}
          items: [{key: {{ $database.key }}, path: database-url}]
      {{- if include "mailraven.usesS3Keys" $root }}
      {{- $s3 := include "mailraven.s3Secret" $root | fromYaml }}
      - secret:
          name: {{ $s3.name }}
          items: [{key: {{ $s3.secretKey }}, path: s3-secret-key}]
      {{- end }}
{{- with include "mailraven.tlsSecret" $root }}
- name: tls
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- if and (eq $root.Values.blobs.kind "file") (not $root.Values.dev.enabled) }}
- name: data
  persistentVolumeClaim: {claimName: {{ $root.Values.blobs.file.existingClaim }}}
{{- end }}
{{- with concat $root.Values.pod.extraVolumes (get (.of | default dict) "extraVolumes" | default list) }}
{{ toYaml . }}
{{- end }}
{{- end }}
