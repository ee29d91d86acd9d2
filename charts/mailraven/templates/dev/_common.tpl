{{- define "mailraven.devVolume" -}}
- name: data
  {{- if .root.Values.dev.persistence.enabled }}
  persistentVolumeClaim: {claimName: {{ .name }}}
  {{- else }}
  emptyDir: {}
  {{- end }}
{{- end }}

{{/* The claim, and the policy that lets only this release in. (dict "root" $ "name" … "component" … "port" …) */}}
{{- define "mailraven.devCommon" -}}
{{- if .root.Values.dev.persistence.enabled }}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  {{- include "mailraven.metadata" . | nindent 2 }}
spec:
  accessModes: [ReadWriteOnce]
  {{- with .root.Values.dev.persistence.storageClassName }}
  storageClassName: {{ . }}
  {{- end }}
  resources:
    requests:
      storage: {{ .root.Values.dev.persistence.size }}
{{- end }}
{{- if .root.Values.networkPolicy.enabled }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "mailraven.metadata" . | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "mailraven.selector" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    - ports: [{port: {{ .port }}, protocol: TCP}]
      from:
        - podSelector:
            matchLabels:
              {{- include "mailraven.selector" (dict "root" .root) | nindent 14 }}
  egress: []
{{- end }}
{{- end }}
