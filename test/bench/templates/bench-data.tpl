{{- define "bench.data" }}
{
  "job": {
    "annotations": { "site/submitted-by": "{{ "{{ .Job.user }}" }}" },
    "labels": { "site/department": "research" },
    "ttlSecondsAfterFinished": 86400
  },
  "pod": {
    "annotations": { "site/queue": "{{ "{{ join `,` .Job.queues }}" }}", "prometheus.io/scrape": "false" },
    "labels": { "site/department": "research", "site/stage": "production" },
    "serviceAccountName": "sessions",
    "priorityClassName": "",
    "schedulerName": "",
    "imagePullSecrets": ["registry", "mirror"],
    "imagePullPolicy": "IfNotPresent",
    "tolerations": [
      { "key": "dedicated", "operator": "Equal", "value": "sessions", "effect": "NoSchedule" },
      { "key": "spot", "operator": "Exists" }
    ],
    "affinity": {
      "podAntiAffinity": {
        "preferredDuringSchedulingIgnoredDuringExecution": [
          {
            "weight": 10,
            "podAffinityTerm": {
              "topologyKey": "kubernetes.io/hostname",
              "labelSelector": { "matchLabels": { "site/stage": "production" } }
            }
          }
        ]
      }
    },
    "nodeSelector": { "kubernetes.io/arch": "amd64", "site/pool": "sessions" },
    "hostAliases": [{ "ip": "10.0.0.9", "hostnames": ["license.example.org"] }],
    "securityContext": { "fsGroup": 100, "runAsNonRoot": false },
    "containerSecurityContext": { "allowPrivilegeEscalation": false },
    "env": [
      { "name": "LICENSE_SERVER", "value": "license.example.org" },
      { "name": "HTTP_PROXY", "value": "http://proxy.example.org:3128" },
      { "name": "NODE", "valueFrom": { "fieldRef": { "fieldPath": "spec.nodeName" } } }
    ],
    "volumes": [
      { "name": "session-config", "configMap": { "name": "session-config", "defaultMode": 420 } },
      { "name": "session-secret", "secret": { "secretName": "session-secret", "defaultMode": 420 } },
      { "name": "scratch", "emptyDir": { "sizeLimit": "10Gi" } }
    ],
    "volumeMounts": [
      { "name": "session-config", "mountPath": "/mnt/session-configmap/rstudio/" },
      { "name": "session-secret", "mountPath": "/mnt/session-secret/rstudio/" },
      { "name": "scratch", "mountPath": "/scratch" }
    ],
    "initContainers": [],
    "extraContainers": [
      { "name": "metrics", "image": "registry.example.org/metrics:1", "args": ["--port", "9100"] }
    ]
  }
}
{{- end }}
