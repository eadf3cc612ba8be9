import { ApiError } from "./errors.ts";

export interface RequestOptions {
  method?: "GET" | "POST" | "PUT" | "DELETE" | "PATCH";
  query?: Record<string, string | number | boolean | undefined>;
  body?: unknown;
  /** Id of the environment that the request is for. */
  environment?: string;
  signal?: AbortSignal;
}

/**
 * The one place that talks HTTP. The session's cookie is the credential, and `x-acme-environment` names the environment.
 * @throws ApiError if the response is an error, or there is none
 */
export async function request<T>(path: string, options: RequestOptions = {}): Promise<T> {
  const url = new URL(path, location.origin);
  for (const [name, value] of Object.entries(options.query ?? {})) {
    if (value !== undefined && value !== "") url.searchParams.set(name, String(value));
  }
  const headers: Record<string, string> = { accept: "application/json" };
  if (options.environment) headers["x-acme-environment"] = options.environment;
  if (options.body !== undefined) headers["content-type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(url, {
      method: options.method ?? "GET",
      headers,
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
      credentials: "same-origin",
      signal: options.signal,
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiError("The server can't be reached. Check that it runs, then try again.", 0, "unreachable");
  }
  if (!response.ok) throw await failureOf(response);
  if (response.status === 204) return undefined as T;
  return (await response.json()) as T;
}

async function failureOf(response: Response): Promise<ApiError> {
  const body = await response.json().catch(() => null);
  const { error, message, code, issues } = (body ?? {}) as {
    error?: unknown;
    message?: unknown;
    code?: unknown;
    issues?: { path: string; message: string }[];
  };
  const text =
    typeof error === "string"
      ? error
      : typeof message === "string"
        ? message
        : `The server answered with status ${response.status}.`;
  return new ApiError(
    text,
    response.status,
    typeof code === "string" ? code : "unknown",
    Array.isArray(issues) ? issues : [],
    response.headers.get("cf-ray") ?? response.headers.get("x-request-id") ?? undefined,
  );
}
