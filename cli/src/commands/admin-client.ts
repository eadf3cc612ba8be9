import type { Command } from "commander";
import { CliError } from "../errors.ts";

export interface AdminOptions {
  apiUrl?: string;
  data: string;
  json?: boolean;
}

/** Adds the options of commands for a server's operator. */
export const withServer = (command: Command): Command =>
  command
    .option("-a, --api-url <url>", "server, instead of ACME_API_URL")
    .option("--data <dir>", "data folder of a server on this machine, without ACME_ADMIN_TOKEN", ".acme")
    .option("--json", "print JSON");

/** Calls the API with the admin token: from ACME_ADMIN_TOKEN, or from the server's data folder. */
export class AdminClient {
  readonly #apiUrl: string;
  readonly #token: string;

  private constructor(apiUrl: string, token: string) {
    this.#apiUrl = apiUrl;
    this.#token = token;
  }

  /** @throws CliError if the server's address or the token is missing */
  static async open(options: AdminOptions): Promise<AdminClient> {
    const [{ existsSync, readFileSync }, { join }] = await Promise.all([
      import("node:fs"),
      import("node:path"),
    ]);
    const read = (file: string): Record<string, string | undefined> => {
      const at = join(options.data, file);
      return existsSync(at) ? JSON.parse(readFileSync(at, "utf8")) : {};
    };
    const apiUrl = options.apiUrl ?? process.env.ACME_API_URL ?? read("local.json").apiUrl;
    const token = process.env.ACME_ADMIN_TOKEN ?? read("secrets.json").adminToken;
    if (apiUrl && token) return new AdminClient(apiUrl.replace(/\/+$/, ""), token);
    throw new CliError(
      "The server's address or its admin token is missing: set ACME_API_URL and ACME_ADMIN_TOKEN, or name the data folder of a server on this machine with --data DIR.",
    );
  }

  /** @throws CliError if the server does not answer, or refuses */
  async call<T>(method: string, path: string, body?: object): Promise<T> {
    const response = await fetch(`${this.#apiUrl}/admin/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${this.#token}`, "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    }).catch((error: Error) => {
      throw new CliError(`The server at ${this.#apiUrl} does not answer: ${error.message}`);
    });
    const text = await response.text();
    const answer = text.startsWith("{") ? (JSON.parse(text) as { error?: string }) : {};
    if (!response.ok) throw new CliError(answer.error ?? `The server answered ${response.status}: ${text}`);
    return answer as T;
  }
}
