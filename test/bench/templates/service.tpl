# Version: 2.5.0
{{- $data := fromJson (include "bench.data" .) }}
apiVersion: v1
kind: Service
metadata:
  name: {{ toYaml .Job.serviceName }}
  labels:
    job-name: {{ toYaml .Job.id }}
    {{- range $key, $value := $data.job.labels }}
    {{ toYaml $key }}: {{ toYaml $value }}
    {{- end }}
spec:
  type: ClusterIP
  selector:
    job-name: {{ toYaml .Job.id }}
  ports:
    {{- range $index, $port := .Job.exposedPorts }}
    - name: {{ printf "port%d" $index }}
      port: {{ $port.targetPort }}
      targetPort: {{ $port.targetPort }}
      protocol: {{ $port.protocol }}
    {{- end }}
