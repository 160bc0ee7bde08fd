# Version: 2.5.0
{{- /* A template of the size that charts ship: everything that a site may set is in bench-data.tpl. */}}
{{- $data := fromJson (include "bench.data" .) }}
{{- $pod := $data.pod }}
{{- $job := .Job }}
apiVersion: batch/v1
kind: Job
metadata:
  generateName: {{ toYaml $job.generateName }}
  annotations:
    {{- with $job.metadata }}
    {{- with .job }}
    {{- range $key, $value := .annotations }}
    {{ toYaml $key }}: {{ toYaml $value }}
    {{- end }}
    {{- end }}
    {{- end }}
    {{- range $key, $value := $data.job.annotations }}
    {{ toYaml $key }}: {{ toYaml (tpl $value $) }}
    {{- end }}
  labels:
    app.kubernetes.io/managed-by: "launcher"
    {{- with $job.metadata }}
    {{- with .job }}
    {{- range $key, $value := .labels }}
    {{ toYaml $key }}: {{ toYaml $value }}
    {{- end }}
    {{- end }}
    {{- end }}
    {{- range $key, $value := $data.job.labels }}
    {{ toYaml $key }}: {{ toYaml $value }}
    {{- end }}
spec:
  backoffLimit: 0
  {{- if $data.job.ttlSecondsAfterFinished }}
  ttlSecondsAfterFinished: {{ int $data.job.ttlSecondsAfterFinished }}
  {{- end }}
  template:
    metadata:
      annotations:
        {{- if $job.name }}
        name: {{ toYaml $job.name }}
        {{- end }}
        {{- if $job.servicePortsJson }}
        service_ports: {{ toYaml $job.servicePortsJson }}
        {{- end }}
        {{- range $index, $tag := $job.tags }}
        USER_TAG_{{ $index }}: {{ toYaml $tag }}
        {{- end }}
        {{- with $job.metadata }}
        {{- with .pod }}
        {{- range $key, $value := .annotations }}
        {{ toYaml $key }}: {{ toYaml $value }}
        {{- end }}
        {{- end }}
        {{- end }}
        {{- range $key, $value := $pod.annotations }}
        {{ toYaml $key }}: {{ toYaml (tpl $value $) }}
        {{- end }}
      labels:
        site/user: {{ toYaml (regexReplaceAll "[^a-zA-Z0-9._-]" $job.user "_" | trunc 63) }}
        {{- with $job.metadata }}
        {{- with .pod }}
        {{- range $key, $value := .labels }}
        {{ toYaml $key }}: {{ toYaml $value }}
        {{- end }}
        {{- end }}
        {{- end }}
        {{- range $key, $value := $pod.labels }}
        {{ toYaml $key }}: {{ toYaml $value }}
        {{- end }}
    spec:
      {{- if $job.host }}
      nodeName: {{ toYaml $job.host }}
      {{- end }}
      restartPolicy: Never
      shareProcessNamespace: {{ $job.shareProcessNamespace }}
      {{- if or $job.serviceAccountName $pod.serviceAccountName }}
      serviceAccountName: {{ coalesce $job.serviceAccountName $pod.serviceAccountName | quote }}
      {{- end }}
      {{- if $pod.priorityClassName }}
      priorityClassName: {{ toYaml $pod.priorityClassName }}
      {{- end }}
      {{- if $pod.schedulerName }}
      schedulerName: {{ toYaml $pod.schedulerName }}
      {{- end }}
      {{- with $pod.imagePullSecrets }}
      imagePullSecrets:
        {{- range . }}
        - name: {{ toYaml . }}
        {{- end }}
      {{- end }}
      {{- with $pod.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- if or $pod.affinity $job.placementConstraints }}
      affinity:
        {{- with $pod.affinity }}
        {{- with .podAntiAffinity }}
        podAntiAffinity:
          {{- toYaml . | nindent 10 }}
        {{- end }}
        {{- end }}
        nodeAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            nodeSelectorTerms:
              - matchExpressions:
                  {{- range $job.placementConstraints }}
                  - key: {{ toYaml .name }}
                    operator: In
                    values:
                      - {{ toYaml .value }}
                  {{- end }}
                  {{- range $key, $value := $pod.nodeSelector }}
                  - key: {{ toYaml $key }}
                    operator: In
                    values:
                      - {{ toYaml $value }}
                  {{- end }}
      {{- end }}
      {{- with $pod.dnsPolicy }}
      dnsPolicy: {{ toYaml . }}
      {{- end }}
      {{- with $pod.hostAliases }}
      hostAliases:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext:
        {{- with $job.container.runAsUserId }}
        runAsUser: {{ . }}
        {{- end }}
        {{- with $job.container.runAsGroupId }}
        runAsGroup: {{ . }}
        {{- end }}
        {{- with $job.container.supplementalGroupIds }}
        supplementalGroups:
          {{- range . }}
          - {{ . }}
          {{- end }}
        {{- end }}
        {{- range $key, $value := $pod.securityContext }}
        {{ $key }}: {{ toJson $value }}
        {{- end }}
      {{- if or $job.volumes $pod.volumes }}
      volumes:
        {{- range $job.volumes }}
        - {{ toYaml . | nindent 10 | trim }}
        {{- end }}
        {{- range $pod.volumes }}
        - {{ toYaml . | nindent 10 | trim }}
        {{- end }}
      {{- end }}
      {{- if or $job.initContainers $pod.initContainers }}
      initContainers:
        {{- range $job.initContainers }}
        - name: {{ toYaml .name }}
          image: {{ toYaml .image }}
          {{- if .command }}
          command: ["/bin/sh", "-c", {{ toJson .command }}]
          {{- else if .exe }}
          command: [{{ toJson .exe }}]
          {{- end }}
          {{- with .args }}
          args: {{ toJson . }}
          {{- end }}
          {{- with .environment }}
          env:
            {{- range . }}
            - name: {{ .name }}
              value: {{ toYaml .value }}
            {{- end }}
          {{- end }}
          {{- with .mounts }}
          volumeMounts:
            {{- toYaml . | nindent 12 }}
          {{- end }}
        {{- end }}
        {{- range $pod.initContainers }}
        - {{ toYaml . | nindent 10 | trim }}
        {{- end }}
      {{- end }}
      containers:
        - name: rs-launcher-container
          {{- if $pod.defaultImage }}
          image: {{ toYaml (default $pod.defaultImage $job.container.image) }}
          {{- else }}
          image: {{ toYaml $job.container.image }}
          {{- end }}
          {{- with $pod.imagePullPolicy }}
          imagePullPolicy: {{ toYaml . }}
          {{- end }}
          {{- $isShell := ne $job.command "" }}
          {{- if $isShell }}
          command: ["/bin/sh"]
          {{- else }}
          command: [{{ toJson $job.exe }}]
          {{- end }}
          {{- if $job.stdin }}
          stdin: true
          stdinOnce: true
          {{- else }}
          stdin: false
          {{- end }}
          {{- if or $isShell $job.args }}
          args:
            {{- if $isShell }}
            - "-c"
            - {{ toJson (printf "%s %s" $job.command (join " " $job.args) | trim) }}
            {{- else }}
            {{- range $job.args }}
            - {{ toJson . }}
            {{- end }}
            {{- end }}
          {{- end }}
          {{- with $job.workingDirectory }}
          workingDir: {{ toYaml . }}
          {{- end }}
          {{- $secrets := list }}
          {{- range $job.config }}
          {{- if eq .name "secret" }}
          {{- $secrets = append $secrets (splitList ":" .value) }}
          {{- end }}
          {{- end }}
          {{- if or $job.environment $pod.env $secrets }}
          env:
            {{- range $job.environment }}
            - name: {{ toYaml .name }}
              value: {{ toYaml .value }}
            {{- end }}
            {{- range $secrets }}
            - name: {{ last . | quote }}
              valueFrom:
                secretKeyRef:
                  name: {{ first . | quote }}
                  key: {{ index . 1 | quote }}
            {{- end }}
            {{- range $pod.env }}
            - {{ toYaml . | nindent 14 | trim }}
            {{- end }}
          {{- end }}
          {{- with $job.exposedPorts }}
          ports:
            {{- range . }}
            - containerPort: {{ .targetPort }}
              {{- if .publishedPort }}
              hostPort: {{ .publishedPort }}
              {{- end }}
              protocol: {{ .protocol }}
            {{- end }}
          {{- end }}
          {{- if or $job.volumeMounts $pod.volumeMounts }}
          volumeMounts:
            {{- range $job.volumeMounts }}
            - {{ toYaml . | nindent 14 | trim }}
            {{- end }}
            {{- range $pod.volumeMounts }}
            - {{ toYaml . | nindent 14 | trim }}
            {{- end }}
          {{- end }}
          {{- with $job.resourceLimits }}
          {{- $limits := dict }}
          {{- $requests := dict }}
          {{- range . }}
          {{- if eq .type "cpuCount" }}
          {{- $_ := set $limits "cpu" .value }}
          {{- else if eq .type "CPU Request" }}
          {{- $_ := set $requests "cpu" .value }}
          {{- else if eq .type "memory" }}
          {{- $_ := set $limits "memory" (printf "%sM" .value) }}
          {{- else if eq .type "Memory Request" }}
          {{- $_ := set $requests "memory" (printf "%sM" .value) }}
          {{- else if eq .type "NVIDIA GPUs" }}
          {{- if ne (float64 .value) 0.0 }}
          {{- $_ := set $limits "nvidia.com/gpu" .value }}
          {{- end }}
          {{- else if eq .type "AMD GPUs" }}
          {{- if ne (float64 .value) 0.0 }}
          {{- $_ := set $limits "amd.com/gpu" .value }}
          {{- end }}
          {{- end }}
          {{- end }}
          resources:
            {{- with $requests }}
            requests:
              {{- range $key, $value := . }}
              {{ toYaml $key }}: {{ toYaml $value }}
              {{- end }}
            {{- end }}
            {{- with $limits }}
            limits:
              {{- range $key, $value := . }}
              {{ toYaml $key }}: {{ toYaml $value }}
              {{- end }}
            {{- end }}
          {{- end }}
          {{- $security := $pod.containerSecurityContext | default dict }}
          {{- $capabilities := dict }}
          {{- with $job.container.capabilitiesAdd }}
          {{- $_ := set $capabilities "add" . }}
          {{- end }}
          {{- with $job.container.capabilitiesDrop }}
          {{- $_ := set $capabilities "drop" . }}
          {{- end }}
          {{- if $capabilities }}
          {{- $security = mergeOverwrite $security (dict "capabilities" $capabilities) }}
          {{- end }}
          {{- with $security }}
          securityContext:
            {{- toYaml . | nindent 12 }}
          {{- end }}
        {{- range $pod.extraContainers }}
        - {{ toYaml . | nindent 10 | trim }}
        {{- end }}
