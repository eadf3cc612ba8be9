import type { EnvironmentRef, RunRecord } from "@acme/durable-objects/rpc";
import { publicStatus } from "@acme/sdk/contract";
import type { AlertType } from "@acme/sdk/contract/api";
import { ERROR_PREFIX } from "../errors/error-id.ts";
import type { ErrorGroupRow } from "../errors/error-queries.ts";
import { isoTime, optionalTime } from "../views/time.ts";
import type { FailedDeployment } from "./rpc.ts";

/**
 * The contents of a notice for every kind of channel: a title and lines for people, and an object for
 * programs.
 */
export interface Notice {
  type: AlertType;
  title: string;
  lines: string[];
  /** The page that shows the subject. Null: the server does not know its own address. */
  link: string | null;
  /** The form that the published client's `webhooks.constructEvent` reads, for the types that it knows. */
  object: Record<string, unknown>;
}

/** Returns one line that is short enough for mail subjects and chats. */
const short = (text: string, most = 140): string => {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
};

export class NoticeWriter {
  readonly #environment: EnvironmentRef;
  readonly #base: string | null;

  constructor(environment: EnvironmentRef, publicUrl: string | undefined) {
    this.#environment = environment;
    const { organization, project, slug } = environment;
    this.#base = publicUrl
      ? `${publicUrl.replace(/\/$/, "")}/orgs/${organization.slug}/projects/${project.ref}/env/${slug}`
      : null;
  }

  get #place(): string {
    return `${this.#environment.project.name} (${this.#environment.slug})`;
  }

  #link(path: string): string | null {
    return this.#base === null ? null : `${this.#base}/${path}`;
  }

  #context() {
    const { id, type, slug, organization, project } = this.#environment;
    return {
      environment: { id, type, slug, name: slug },
      organization: { id: organization.id, slug: organization.slug, name: organization.name },
      project: { id: project.id, ref: project.ref, slug: project.ref, name: project.name },
    };
  }

  runFailed(run: RunRecord, filePath: string): Notice {
    const link = this.#link(`runs/${run.id}`);
    const message = run.errorMessage ?? "The run failed";
    const error = run.error ?? { type: "STRING_ERROR", raw: message };
    return {
      type: "alert.run.failed",
      title: short(`${run.task} failed in ${this.#place}: ${message}`),
      lines: [
        `Run ${run.id}`,
        `${run.errorName ?? "Error"}: ${short(message, 500)}`,
        `Version ${run.deploymentVersion ?? "none"}`,
      ],
      link,
      object: {
        task: {
          id: run.task,
          filePath,
          version: run.deploymentVersion ?? "",
          sdkVersion: "",
          cliVersion: "",
        },
        run: {
          id: run.id,
          // Runs have no numbers in Acme.
          number: 0,
          status: publicStatus(run.status),
          createdAt: isoTime(run.createdAt),
          startedAt: optionalTime(run.startedAt),
          completedAt: optionalTime(run.completedAt),
          isTest: run.isTest,
          idempotencyKey: run.userIdempotencyKey ?? undefined,
          tags: run.tags,
          error,
          isOutOfMemoryError: run.errorName === "TASK_PROCESS_OOM_KILLED",
          machine: run.machine,
          dashboardUrl: link ?? "",
        },
        ...this.#context(),
      },
    };
  }

  runRate(failed: number, judged: number, windowMinutes: number, tasks: string[] | undefined): Notice {
    const percent = judged === 0 ? 0 : (100 * failed) / judged;
    const of = tasks ? short(tasks.join(", "), 200) : "all tasks";
    return {
      type: "alert.run.rate",
      title: short(
        `${failed} runs failed in ${windowMinutes} min in ${this.#place} (${percent.toFixed(1)} %)`,
      ),
      lines: [`Of ${of}: ${failed} of ${judged} runs failed within ${windowMinutes} minutes.`],
      link: this.#link("errors"),
      object: { failed, runs: judged, percent, windowMinutes, tasks: tasks ?? null, ...this.#context() },
    };
  }

  error(group: ErrorGroupRow, what: "new" | "reopened", stackTrace: string | undefined): Notice {
    const link = this.#link(`errors/${ERROR_PREFIX}${group.fingerprint}`);
    const classification =
      what === "new" ? "new_issue" : group.resolvedAt === null ? "unignored" : "regression";
    return {
      type: "alert.error",
      title: short(
        `${what === "new" ? "New error" : "Error is back"} in ${group.task}, ${this.#place}: ${group.message}`,
      ),
      lines: [
        `${group.name}: ${short(group.message, 500)}`,
        `Seen ${group.count} times, first ${isoTime(group.firstSeen)}`,
      ],
      link,
      object: {
        classification,
        error: {
          fingerprint: group.fingerprint,
          type: group.name,
          message: group.message,
          stackTrace,
          firstSeen: isoTime(group.firstSeen),
          lastSeen: isoTime(group.lastSeen),
          occurrenceCount: group.count,
          taskIdentifier: group.task,
        },
        ...this.#context(),
        dashboardUrl: link ?? "",
      },
    };
  }

  deploymentFailed({ id, version, error, at }: FailedDeployment): Notice {
    return {
      type: "alert.deployment.failed",
      title: short(`Deployment ${version} failed in ${this.#place}: ${error}`),
      lines: [short(error, 1_000)],
      link: this.#link("deployments"),
      object: {
        deployment: { id, status: "FAILED", version, shortCode: version, failedAt: isoTime(at) },
        error: { name: "BuildError", message: error },
        ...this.#context(),
      },
    };
  }

  queue(queue: string, facts: { depth: number; delayMs: number | null }): Notice {
    const delay =
      facts.delayMs === null ? "" : `, and they waited ${Math.round(facts.delayMs / 1_000)} s (95 %)`;
    return {
      type: "alert.queue",
      title: short(`Queue ${queue} in ${this.#place}: ${facts.depth} runs wait${delay}`),
      lines: [`${facts.depth} runs wait in the queue ${queue}${delay}.`],
      link: this.#link(`queues/${encodeURIComponent(queue)}`),
      object: { queue: { name: queue, queued: facts.depth, delayP95Ms: facts.delayMs }, ...this.#context() },
    };
  }

  test(): Notice {
    return {
      type: "alert.test",
      title: `A test of the alerts of ${this.#place}`,
      lines: ["This is a test. Alerts arrive here."],
      link: this.#link("alerts"),
      object: this.#context(),
    };
  }
}

const VERSION = "v1";

/** Returns a webhook's body. Its id is the same each time it is sent. */
export const webhookBody = (id: string, created: number, { type, title, object }: Notice): string =>
  JSON.stringify({ id, created: isoTime(created), webhookVersion: VERSION, type, title, object });

/** Slack interprets &, < and > as markup. */
const escapeSlack = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

export function slackBody({ title, lines, link }: Notice): string {
  const body = lines.map(escapeSlack).join("\n");
  const more = link === null ? "" : `\n<${link}|Open in Acme>`;
  return JSON.stringify({
    text: escapeSlack(title),
    blocks: [
      {
        type: "section",
        text: { type: "mrkdwn", text: `*${escapeSlack(title)}*\n${body}${more}`.slice(0, 2_900) },
      },
    ],
  });
}

export const mailText = ({ title, lines, link }: Notice): string =>
  [title, "", ...lines, ...(link === null ? [] : ["", link])].join("\n");
