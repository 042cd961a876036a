{{/*
The objects are the files in base/ and components/, which kustomize and the plugin apply too. Nothing is written anew here.
*/}}

{{/* The documents of the files that a folder's kustomization names in a field: {"items": [...]}. */}}
{{- define "edge.documents" -}}
{{- $items := list -}}
{{- $kustomization := .files.Get (printf "%s/kustomization.yaml" .folder) | fromYaml -}}
{{- range $file := index $kustomization .field -}}
{{- $name := $file -}}
{{- if kindIs "map" $file -}}{{- $name = $file.path -}}{{- end -}}
{{- range $text := regexSplit "(?m)^---$" ($.files.Get (printf "%s/%s" $.folder $name)) -1 -}}
{{- $items = append $items ($text | fromYaml) -}}
{{- end -}}
{{- end -}}
{{- toJson (dict "items" $items) -}}
{{- end -}}
