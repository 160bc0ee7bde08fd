/** Labels and annotations that nobody but the plugin sets (kubernetes-objects.md section 1, "Keys of ours"). */
const RESERVED: readonly RegExp[] = [
  /^(user|name|stdin|service_ports|user_metadata|job-name|controller-uid|launcher-instance-id)$/,
  /^USER_TAG_/,
  /^job-launcher\//,
  /^app\.kubernetes\.io\/managed-by$/,
];

/** Labels of this prefix belong to the job controller; annotations may carry it (autoscalers read some). */
const CONTROLLER_LABEL = /^([^/]+\.)?kubernetes\.io\//;

/** May neither jobs nor profiles set this key? */
export function isReserved(kind: 'label' | 'annotation', key: string): boolean {
  return RESERVED.some((pattern) => pattern.test(key)) || (kind === 'label' && CONTROLLER_LABEL.test(key));
}
