{{/* Peers of egress: those given, or anywhere but the cloud's metadata. (dict "root" $ "to" (list)) */}}
{{- define "mailraven.peers" -}}
{{- if .to -}}
{{ toYaml .to }}
{{- else -}}
{{- $four := list -}}
{{- $six := list -}}
{{- if .root.Values.networkPolicy.blockMetadata -}}
{{- range .root.Values.networkPolicy.metadataAddresses -}}
{{- if contains ":" . }}{{ $six = append $six . }}{{ else }}{{ $four = append $four . }}{{ end -}}
{{- end -}}
{{- end -}}
- ipBlock:
    cidr: 0.0.0.0/0
    {{- with $four }}
    except:
      {{- toYaml . | nindent 6 }}
    {{- end }}
- ipBlock:
    cidr: ::/0
    {{- with $six }}
    except:
      {{- toYaml . | nindent 6 }}
    {{- end }}
{{- end -}}
{{- end }}

{{/* Egress of whatever runs the server's image. (dict "root" $ "delivery" false) */}}
{{- define "mailraven.egress" -}}
{{- $policy := .root.Values.networkPolicy -}}
- ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
{{- if .root.Values.dev.enabled }}
{{- range $component, $port := dict "postgres" 5432 "s3" 9000 }}
- ports: [{port: {{ $port }}, protocol: TCP}]
  to:
    - podSelector:
        matchLabels:
          {{- include "mailraven.selector" (dict "root" $.root "component" $component) | nindent 10 }}
{{- end }}
{{- else }}
- ports:
    {{- range $policy.database.ports }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
  to:
    {{- include "mailraven.peers" (dict "root" .root "to" $policy.database.to) | nindent 4 }}
{{- end }}
{{- if or (eq .root.Values.blobs.kind "s3") (not .root.Values.dev.enabled) }}
- ports:
    {{- range $policy.s3.ports }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
  to:
    {{- include "mailraven.peers" (dict "root" .root "to" $policy.s3.to) | nindent 4 }}
{{- end }}
{{- if .delivery }}
- ports:
    {{- range $policy.delivery.ports }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
  to:
    {{- include "mailraven.peers" (dict "root" .root "to" list) | nindent 4 }}
{{- end }}
{{- with $policy.extraEgress }}
{{ toYaml . }}
{{- end }}
{{- end }}
