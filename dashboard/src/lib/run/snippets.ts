/** How to trigger the same run from elsewhere. Keys are named, never filled in. */
export function curlOf(origin: string, task: string, payload: unknown): string {
  const body = JSON.stringify({ payload: payload ?? null }).replace(/'/g, "'\\''");
  return [
    `curl -X POST '${origin}/api/v1/tasks/${encodeURIComponent(task)}/trigger'`,
    `  -H "Authorization: Bearer $ACME_SECRET_KEY"`,
    `  -H 'Content-Type: application/json'`,
    `  -d '${body}'`,
  ].join(" \\\n");
}

export function sdkCallOf(task: string, payload: unknown): string {
  const argument = JSON.stringify(payload ?? null, null, 2);
  return `import { tasks } from "@acme/sdk";\n\nawait tasks.trigger(${JSON.stringify(task)}, ${argument});`;
}
